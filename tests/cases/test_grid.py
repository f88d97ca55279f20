"""Cases on the grid, or as they are: which steps and gaps are taken."""

from pathlib import Path

import numpy as np
import pytest
from builders import read, refused, smooth_values, write_cases, write_table

from surrogate_modeling.cases.grid import Grid


def test_decimation_and_rows_as_they_are(tmp_path: Path) -> None:
    write_cases(tmp_path, 2, rows=41, step=0.5)
    by_grid = read(tmp_path)
    assert by_grid.step == 1.0
    np.testing.assert_array_equal(by_grid.cases[0].time, np.arange(21.0))
    np.testing.assert_array_equal(by_grid.cases[0].values, smooth_values(41)[::2].astype(np.float32))
    as_is = read(tmp_path, grid=Grid(None, 5.0))
    assert as_is.step == 0.5
    np.testing.assert_array_equal(as_is.cases[0].values, smooth_values(41).astype(np.float32))
    assert as_is.fingerprint == by_grid.fingerprint


def test_without_decimation_steps_must_be_even_within_and_among_files(tmp_path: Path) -> None:
    uneven = np.arange(20.0)
    uneven[7] += 0.25
    write_table(tmp_path / "uneven" / "a.csv", uneven, smooth_values(20))
    message = refused(tmp_path / "uneven", grid=Grid(None, 5.0))
    assert "a.csv: lines 10-11, column 1 ('time'): the step differs from the usual 1 s" in message
    for name, step in (("a", 1.0), ("b", 2.0), ("c", 1.0), ("d", 4.0)):
        write_table(tmp_path / "mixed" / f"{name}.csv", step * np.arange(20), smooth_values(20))
    message = refused(tmp_path / "mixed", grid=Grid(None, 5.0))
    assert "b.csv" in message
    assert "d.csv" in message
    assert "settings.use_decimate=True" in message
    assert read(tmp_path / "mixed", min_rows=2).step == 1.0


@pytest.mark.parametrize("step", [1.0, None])
def test_a_gap_is_allowed_on_request_only(tmp_path: Path, step: float | None) -> None:
    time = np.r_[0:10, 15:25.0]
    write_table(tmp_path / "a.csv", time, smooth_values(20))
    assert "gap in time" in refused(tmp_path, grid=Grid(step, 5.0))
    if step:
        assert len(read(tmp_path, grid=Grid(step, 6.0)).cases[0].time) == 25
        assert len(read(tmp_path, grid=Grid(step, None)).cases[0].time) == 25
    else:
        assert "line 13, column 1 ('time'): the step differs" in refused(tmp_path, grid=Grid(step, None))
