"""What is taken off a column before it is held in float32, by hand."""

from pathlib import Path

import numpy as np
import pytest
from builders import read, write_table

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.offsets import case_offsets, common_offsets


def test_a_small_variation_on_a_large_level_is_held_less_its_middle() -> None:
    low, high = np.array([1e12, 0.0, -5.0, 1e6]), np.array([1e12 + 4e5, 1.0, -5.0, 2e6])
    assert common_offsets(low, high).tolist() == [1e12 + 2e5, 0.0, 0.0, 0.0]
    # A case does not know whether a column that is constant in it varies among the cases.
    assert case_offsets(low, high).tolist() == [1e12 + 2e5, 0.0, -5.0, 0.0]


@pytest.mark.parametrize(("spread", "taken"), [(1e-13, False), (1e-9, True), (1e-4, True), (1e-2, False)])
def test_constant_is_what_float64_cannot_tell(spread: float, taken: bool) -> None:
    assert bool(common_offsets(np.array([7.0]), np.array([7.0 * (1 + spread)])).any()) is taken


def test_columns_there_and_back() -> None:
    channels = Channels(("u",), ("y", "z"), ("y",), {}, (0.0, 1e12, 0.0))
    physical = np.array([[0.5, 1e12 + 30.0, 2.0], [0.25, 1e12 - 7.0, 3.0]])
    held = channels.held(physical)
    assert held.dtype == np.float32
    assert held.tolist() == [[0.5, 30.0, 2.0], [0.25, -7.0, 3.0]]
    assert channels.physical(held).tolist() == physical.tolist()
    assert channels.physical(held[:, 1:], 1).tolist() == physical[:, 1:].tolist()
    # Columns without an offset stay as they are, in float32.
    assert channels.physical(held[:, :1]) is not None
    assert channels.physical(held[:, 2:], 2).dtype == np.float32


def test_files_are_read_to_the_last_digit(tmp_path: Path) -> None:
    """A counter of 1e12 + 1e4 i beside columns that float32 holds, one of them constant in each file but not in all."""
    rows = np.arange(30.0)
    for i in range(3):
        values = np.column_stack(
            (np.sin(rows + i), np.full(30, 0.1 + i), 1e12 + 1e4 * (rows + 100 * i), np.full(30, 0.3))
        )
        write_table(tmp_path / f"case{i}.csv", rows, values)
    for _ in ("read", "from the cache"):
        case_set = read(tmp_path)
        assert case_set.channels.offsets is not None
        assert [offset != 0 for offset in case_set.channels.offsets] == [False, False, True, False]
        for i, case in enumerate(case_set.cases):
            np.testing.assert_allclose(case.outputs[:, 0], 1e12 + 1e4 * (rows + 100 * i), rtol=0, atol=0.1)
            assert case.outputs[:, 1].tolist() == [float(np.float32(0.3))] * 30
            assert case.controls.dtype == np.float32
            np.testing.assert_array_equal(case.controls[:, 0], np.sin(rows + i).astype(np.float32))
            np.testing.assert_array_equal(case.controls[:, 1], np.full(30, 0.1 + i, np.float32))


def test_nothing_is_taken_off_ordinary_columns(tmp_path: Path) -> None:
    rows = np.arange(30.0)
    write_table(tmp_path / "a.csv", rows, np.column_stack((rows, rows % 2, 1e5 + 1e3 * np.sin(rows), 300 + rows)))
    assert read(tmp_path).channels.offsets is None
