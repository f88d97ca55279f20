"""Rows of one time, missing cells and time that goes back; the whole ways are in test_import.py."""

import numpy as np
import pytest

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.rows import Rows, fill_missing, one_row_per_time, require_increasing

NAN = np.nan


def rows(time: list[float], *columns: list[float], word: str = "line") -> Rows:
    return Rows(np.array(time, float), np.array(columns, float).T, np.arange(len(time)) + 2, word)


def test_the_mean_of_rows_of_one_time_passes_over_missing_cells() -> None:
    found, count = one_row_per_time(rows([0, 0, 0, 1], [1, 2, NAN, 4], [NAN, NAN, NAN, 1]), "mean", "a.csv")
    assert count == 2
    np.testing.assert_array_equal(found.values, [[1.5, NAN], [4, 1]])
    assert found.lines.tolist() == [2, 5]


def test_a_wide_gap_is_not_filled() -> None:
    gap = rows([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, NAN, NAN, NAN, NAN, NAN, 7], [0] * 8)
    with pytest.raises(BadFile, match=r"a.csv: up to line 9, column 'x': no number for 6 s, at most 5 s"):
        fill_missing(gap, ["x", "y"], "interpolate", 5.0, "a.csv")
    found, filled, _ = fill_missing(gap, ["x", "y"], "interpolate", None, "a.csv")
    assert found.values[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert filled == 5


def test_a_gap_in_time_beside_which_nothing_is_filled_is_left_to_training() -> None:
    gap = rows([0, 1, 2, 90, 91], [0, NAN, 2, 3, 4])
    found, filled, _ = fill_missing(gap, ["x"], "interpolate", 5.0, "a.csv")
    assert (found.values[:, 0].tolist(), filled) == ([0, 1, 2, 3, 4], 1)
    found, _, dropped = fill_missing(gap, ["x"], "drop_rows", 5.0, "a.csv")
    assert (found.time.tolist(), dropped) == ([0, 2, 90, 91], 1)
    # The gap is that of the file, but what is dropped beside it makes it wider.
    with pytest.raises(BadFile, match=r"a.csv: up to line 6, column 'x': no number for 89 s, at most 5 s"):
        fill_missing(rows([0, 1, 2, 90, 91], [0, 1, 2, NAN, 4]), ["x"], "drop_rows", 5.0, "a.csv")
    assert fill_missing(rows([0, 1], [NAN, 1], [2, NAN]), ["x", "y"], "drop_rows", 5.0, "a.csv")[2] == 2


def test_time_that_goes_back_is_named_by_row_where_there_are_no_lines() -> None:
    clocks = rows([3540, 3570, 3600, 30, 60], [0] * 5)
    said = (
        r"line 5, column 't': time goes back \(first from 3600 to 30 s\); it looks like the end of summer time: write"
    )
    with pytest.raises(BadFile, match=said):
        require_increasing(clocks, "t", "a.csv", dated=True)
    for other, dated in (
        (clocks, False),
        (rows([0, 3600, 30, 3600, 30], [0] * 5), True),
        (rows([0, 1, 0], [0] * 3), True),
    ):
        with pytest.raises(BadFile, match="several runs in one file are cut with cases_by=gaps"):
            require_increasing(other, "t", "a.csv", dated=dated)
    with pytest.raises(BadFile, match=r"a.mat: row 4, column 't': time goes back \(first from 2 to 1 s\)"):
        require_increasing(rows([0, 2, 1, 3], [0] * 4, word="row"), "t", "a.mat")
