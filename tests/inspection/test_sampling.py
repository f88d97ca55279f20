"""The step that loses little, of sums of sines whose variance above any frequency is known."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.cases.case_file import RawCase
from surrogate_modeling.inspection.sampling import Sampling, find_step

TIME = np.arange(20_001) * 0.01


def raw(*columns: np.ndarray) -> RawCase:
    names = tuple(f"y{i}" for i in range(len(columns)))
    return RawCase("time", names, names, TIME, np.column_stack(columns), np.arange(len(TIME)), ())


def wave(frequency: float, size: float = 1.0) -> np.ndarray:
    return size * np.sin(2 * np.pi * frequency * TIME)


# Of the second column 0.2^2 / (1 + 0.2^2) = 3.85 % of the variance lie at 1 Hz: lost from a step of 0.5 s on.
CASE = raw(wave(0.05), wave(0.05) + wave(1.0, 0.2), np.zeros(len(TIME)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of one size."""
    for name in "ab":
        (tmp_path / name).write_text("")
    return tmp_path


def find(folder: Path, step: float | None, case: RawCase = CASE) -> Sampling:
    return find_step(sorted(folder.iterdir()), lambda file: case, step, 1, False)


def test_the_step_is_half_of_that_with_which_a_column_loses_one_percent(folder: Path) -> None:
    found = find(folder, None)
    assert found.raw == pytest.approx(0.01)
    assert found.longest[1] == pytest.approx(0.5, rel=0.02)
    assert np.isinf(found.longest[[0, 2]]).all()
    assert found.step == 0.2
    assert found.lost.tolist() == [0, 0, 0]
    assert found.files == 2


def test_the_loss_at_a_chosen_step(folder: Path) -> None:
    found = find(folder, 2.0)
    assert found.step == 2.0
    assert found.lost[1] == pytest.approx(0.04 / 1.04, rel=0.02)
    assert found.lost[0] == 0
    assert not found.event.any()


def test_slow_columns_keep_rows_enough(folder: Path) -> None:
    """200 s on 200 rows or more: 1 s at most."""
    assert find(folder, None, raw(wave(0.005))).step == 1.0


def test_events_between_the_rows(folder: Path) -> None:
    pulse = np.zeros(len(TIME))
    pulse[7_020:7_080] = 1.0
    assert find(folder, 1.0, raw(wave(0.05), pulse)).event.tolist() == [False, True]


def test_one_column_of_many_may_be_faster(folder: Path) -> None:
    slow = [wave(0.05 + 0.001 * i) for i in range(12)]
    assert find(folder, None, raw(*slow)).step == 1.0
    assert find(folder, None, raw(*slow, wave(1.0))).step == 1.0
    assert find(folder, None, raw(*slow, wave(1.0), wave(1.0))).step == 0.2


@pytest.mark.parametrize("order", ["short long usual", "usual short long"])
def test_the_step_does_not_depend_on_which_name_comes_first(tmp_path: Path, order: str) -> None:
    """The short one, of 5 s, would only be measured up to 0.05 s, and with it all the others."""
    rows = {"short": 500, "usual": 20_001, "long": 20_001}
    files = {tmp_path / f"{i}": rows[name] for i, name in enumerate(order.split())}
    for file, count in files.items():
        file.write_text("x" * count)

    def parse(file: Path) -> RawCase:
        kept = slice(files[file])
        return RawCase("time", CASE.names, CASE.units, TIME[kept], CASE.values[kept], CASE.lines[kept], ())

    found = find_step(list(files), parse, None, 1, False)
    assert (found.step, found.coarsest) == (0.2, 2.0)


def test_no_step_is_suggested_that_was_not_measured(tmp_path: Path) -> None:
    """The size of a file says 5 s, its rows 200 s: up to 0.05 s the loss is known."""
    for name, size in (("a", 10), ("b", 20), ("c", 30)):
        (tmp_path / name).write_text("x" * size)
    short = RawCase("time", CASE.names, CASE.units, TIME[:501], CASE.values[:501], CASE.lines[:501], ())
    found = find_step(
        sorted(tmp_path.iterdir()), lambda file: short if file.name == "b" else raw(*[wave(0.005)] * 3), None, 1, False
    )
    assert (found.coarsest, found.step) == (0.05, 0.02)
