"""Cases as standardised tables."""

import numpy as np
import pytest
from builders import case_set_of, plain_case

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.inspection.series import Series, averaged


def made(count: int = 6, rows: int = 50) -> CaseSet:
    """A counting column, one that changes between cases only, and one that never does."""
    tables = [
        np.column_stack((np.arange(rows) + 100 * i, np.full(rows, i), np.full(rows, 7))).astype(np.float32)
        for i in range(count)
    ]
    return case_set_of([plain_case(f"c{i}", np.arange(float(rows)), table, 1) for i, table in enumerate(tables)])


def test_columns_are_standardised_and_told_apart() -> None:
    series = Series.of(made())
    rows = np.concatenate(series.cases)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows.std(axis=0), [1, 1, 0], atol=1e-12)
    assert series.mean.tolist() == pytest.approx([274.5, 2.5, 7])
    assert series.constant.tolist() == [False, False, True]
    assert series.parameter.tolist() == [False, True, False]
    assert series.varying.tolist() == [0]


def test_more_rows_than_wanted_are_cases_spread_over_all() -> None:
    series = Series.of(made(10), max_rows=150)
    assert len(series.cases) == 3
    assert Series.of(made(1, 500), max_rows=150).cases[0].shape == (150, 3)


def test_cases_are_averaged() -> None:
    coarse = averaged(made(2, 50), 25)
    assert coarse.step == 2
    assert coarse.cases[1].values[:3, 0].tolist() == [100.5, 102.5, 104.5]
    assert coarse.cases[1].time[:3].tolist() == [0, 2, 4]
    assert averaged(case_set := made(2, 50), 50) is case_set


def test_some_cases_are_kept_to_check_on() -> None:
    fit, check = Series.of(made(10)).halves(20)
    assert (len(fit), len(check)) == (7, 3)
    # A single record is cut into ten pieces.
    fit, check = Series.of(made(1, 500)).halves(20)
    assert [len(piece) for piece in (*fit, *check)] == [50] * 10
    assert Series.of(made(1, 50)).halves(20) == ([], [])
