"""Coverage worked out by hand, and what is written about it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from builders import make_case, make_channels

from surrogate_modeling.evaluation.coverage import Coverage, coverage, coverage_table, write_coverage
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.band import Banded


def test_coverage_per_column_and_over_targets(tmp_path: Path) -> None:
    """T is held in 10 and 5 of 10 rows, p in none; p is no target."""
    cases = [make_case("x", 14), make_case("y", 14, seed=1)]
    bands = []
    for case, held in zip(cases, (10, 5), strict=True):
        truth = case.values[4:, 2:]
        half = np.where(np.arange(10) < held, 2.0, 0.5)
        mean = np.stack((truth[:, 0] + 1, truth[:, 1] + 3), axis=1)
        edge = np.stack((half, half), axis=1)
        bands.append(Banded(mean, mean - edge, mean + edge))
    table = Coverage.of(cases, bands, make_channels(["T"]))
    np.testing.assert_allclose(table.inside, [[1.0, 0.0], [0.5, 0.0]])
    assert table.metrics() == pytest.approx({"coverage_90": 0.75, "T/coverage_90": 0.75})
    write_coverage(tmp_path / "coverage.csv", table)
    rows = list(csv.reader((tmp_path / "coverage.csv").open()))
    # Half-widths 2 for 15 of 20 rows, else 0.5.
    assert rows[1] == ["T", "degC", "target", "0.7500", "0.5000", "y", "1.625"]
    assert rows[2][:4] == ["p", "bar", "byproduct", "0.0000"]
    assert coverage_table(table).splitlines()[1].split() == ["T", "degC", "90%", "75.0%", "50.0%", "1.625"]
    assert coverage_table(table).splitlines()[2].split() == ["all", "targets", "90%", "75.0%"]


def test_a_band_of_many_times_the_error_is_found() -> None:
    """Half-widths 9 and 1 for mean errors of 1 and 1."""
    case = make_case("x", 14)
    truth = case.values[4:, 2:]
    half = np.tile([9.0, 1.0], (10, 1))
    bands = [Banded(truth, truth - half, truth + half)]
    scores = score([case], [truth + 1.0], make_channels(), np.ones(2))
    wide = Coverage.of([case], bands, make_channels(), 2 / 3).wide_targets(scores)
    assert wide == {"T": pytest.approx(9.0, rel=1e-4)}
    assert "67%" in coverage_table(Coverage.of([case], bands, make_channels(), 2 / 3))


def test_coverage_counts_rows() -> None:
    truth = np.array([[1.0], [2.0], [3.0], [4.0]])
    lower, upper = np.array([[1.0], [2.5], [np.nan], [3.0]]), np.array([[2.0], [9.0], [9.0], [4.0]])
    assert coverage(lower, upper, truth) == pytest.approx([0.5])
