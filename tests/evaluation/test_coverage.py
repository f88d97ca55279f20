"""Coverage worked out by hand, and what is written about it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from builders import make_case, make_channels

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.coverage import Coverage, coverage, coverage_table, write_coverage
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.band import Band


def flat(row: float, trajectory: float, every: float, cases: int = 12) -> Band:
    """Bands of one half-width each in both columns."""
    ones = np.ones((1, 2))
    return Band(np.zeros(1), ones, row * ones[0], ones, trajectory * ones[0], every * ones[0], cases)


def runs(cases: list[Case], errors: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions with these errors in T and p, no spread."""
    made = [case.values[4:, 2:] + np.stack(error, axis=1) for case, error in zip(cases, errors, strict=True)]
    return [(rows, np.zeros_like(rows)) for rows in made]


def test_coverage_per_column_and_over_targets(tmp_path: Path) -> None:
    """Half-widths 1, 2 and 3. T errs by 0.5 and 1.5 in x, also by 2.5 in y; p by 2.5 in x, 0.5 in y; p is no target."""
    cases = [make_case("x", 14), make_case("y", 14, seed=1)]
    half = np.repeat([0.5, 1.5], 5)
    worse = half.copy()
    worse[-1] = 2.5
    table = Coverage.of(cases, runs(cases, [(half, half + 2), (worse, 0 * half)]), flat(1, 2, 3), make_channels(["T"]))
    np.testing.assert_allclose(table.rows, [[0.5, 0.0], [0.5, 1.0]])
    np.testing.assert_array_equal(table.whole, [[True, False], [False, True]])
    np.testing.assert_array_equal(table.together, [True, True])
    assert table.metrics() == pytest.approx(
        {
            "coverage_90": 0.5, "T/coverage_90": 0.5,
            "trajectory_coverage_90": 0.5, "T/trajectory_coverage_90": 0.5, "all_coverage_90": 1.0,
        }
    )  # fmt: skip
    write_coverage(tmp_path / "coverage.csv", table)
    rows = list(csv.DictReader((tmp_path / "coverage.csv").open()))
    assert list(rows[0].values()) == [
        "T", "degC", "target", "0.5000", "0.5000", "x", "1", "0.9000", "0.5000", "2", "1.0000", "3",
    ]  # fmt: skip
    assert list(rows[1].values()) == [
        "p", "bar", "byproduct", "0.5000", "0.0000", "x", "1", "0.9000", "0.5000", "2", "", "",
    ]  # fmt: skip
    lines = coverage_table(table).splitlines()
    assert lines[1].split() == ["T", "degC", "90%", "50.0%", "50.0%", "1", "50.0%", "2", "3"]
    assert lines[2].split() == ["all", "targets", "90%", "50.0%", "50.0%", "100.0%"]
    # With p a target too, all of them lie inside where the larger error of both is at most 3.
    both = Coverage.of(cases, runs(cases, [(half, half + 2), (worse, half)]), flat(1, 2, 3), make_channels())
    np.testing.assert_array_equal(both.together, [False, True])


def test_a_band_of_many_times_the_error_is_found() -> None:
    """Half-widths 9 for mean errors of 1 and 3."""
    case = make_case("x", 14)
    errors = runs([case], [(np.ones(10), 3 * np.ones(10))])
    scores = score([case], [errors[0][0]], make_channels(), np.ones(2))
    table = Coverage.of([case], errors, flat(9, 9, 9, cases=2), make_channels())
    assert table.wide_targets(scores) == {"T": pytest.approx(9.0, rel=1e-4)}
    assert "67%" in coverage_table(table)


def test_coverage_counts_rows() -> None:
    truth = np.array([[1.0], [2.0], [3.0], [4.0]])
    lower, upper = np.array([[1.0], [2.5], [np.nan], [3.0]]), np.array([[2.0], [9.0], [9.0], [4.0]])
    assert coverage(lower, upper, truth) == pytest.approx([0.5])
