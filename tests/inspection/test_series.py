"""Cases as standardised tables."""

from dataclasses import replace

import numpy as np
import pytest
from builders import case_set_of, plain_case

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.inspection.relations import find_relations
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
    # Of a long record ten pieces, the first and the last rows among them.
    pieces = Series.of(made(1, 500), max_rows=150)
    assert [piece.shape for piece in pieces.cases] == [(15, 3)] * 10
    counted = np.concatenate(pieces.cases)[:, 0] * pieces.scale[0] + pieces.mean[0]
    np.testing.assert_allclose(counted[[0, -1]], [0, 499])


def test_what_moves_in_rows_that_are_not_computed_with_is_not_constant() -> None:
    """The last column moves in case 3 of 40 only, of which eight are taken."""
    case_set = made(40)
    case_set.cases[3].values[20:, 2] = 9
    series = Series.of(case_set, max_rows=400)
    assert len(series.cases) == 8
    assert series.constant.tolist() == [False] * 3
    assert series.parameter.tolist() == [False, True, False]
    assert (series.shown.tolist(), series.varying.tolist()) == ([True, True, False], [0])
    assert find_relations(series) == []


def test_a_small_variation_on_a_large_level_is_no_constant() -> None:
    """Held less its level it is exact; without, what is left of it is rounding."""
    time = np.arange(50.0)
    small = np.column_stack((np.sin(time), np.cos(time))).astype(np.float32)
    plain = case_set_of([plain_case(f"c{i}", time, small, 1) for i in range(3)])
    channels = replace(plain.channels, offsets=(1e6, 1e6))
    level = replace(plain, cases=[replace(case, channels=channels) for case in plain.cases], channels=channels)
    assert Series.of(level).constant.tolist() == [False, False]
    rounded = np.column_stack((1e6 + small[:, 0] * 0.05, small[:, 1])).astype(np.float32)
    assert Series.of(case_set_of([plain_case("c", time, rounded, 1)])).constant.tolist() == [True, False]


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
