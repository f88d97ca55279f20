"""Where the error comes from, against sums by hand."""

import csv
import io

import numpy as np
import pytest
from builders import make_channels

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis, analyse, errors_csv, worst_table
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.training_range import Position

IN_LEN = 2
SCALE = np.array([2.0, 0.5])
POSITIONS = [Position(np.array([0.2, 0.2, 0.0, 1.0, 1.5]), 0.5), Position(np.array([0.5, 0.5, 0.5, 0.5]), 2.0)]


def analysis_by_hand() -> ErrorAnalysis:
    """Two cases of 5 and 4 rows; errors are set row by row."""
    channels = make_channels(["p"])
    long = np.zeros((5, 4), dtype=np.float32)
    long[:, 0] = [0.5, 0.5, 0.5, 1.0, 1.25]
    long[:, 2:] = 5.0
    short = np.zeros((4, 4), dtype=np.float32)
    short[:, 0] = 0.75
    short[0, 3] = 15.0
    short[1:, 2:] = 5.0
    cases = [Case("long", 10.0 * np.arange(5.0), long, channels), Case("short", 10.0 * np.arange(4.0), short, channels)]
    predicted = [long[IN_LEN:, 2:].copy(), short[IN_LEN:, 2:].copy()]
    predicted[0] += np.array([[2.0, 0.0], [4.0, 0.5], [6.0, 1.0]], dtype=np.float32)
    predicted[1] += np.array([[0.0, 1.0], [0.0, -2.0]], dtype=np.float32)
    return analyse(cases, predicted, score(cases, predicted, channels, SCALE), POSITIONS)


def test_errors_of_each_row_are_in_standard_deviations() -> None:
    """The long case has 1 0, 2 1 and 3 2, the short one 0 2 and 0 4."""
    analysis = analysis_by_hand()
    assert analysis.time.tolist() == [10.0, 20.0, 30.0]
    np.testing.assert_allclose(analysis.by_column, [[0.5, 1.0], [1.0, 2.5], [3.0, 2.0]])
    # Of the only target, p.
    np.testing.assert_allclose(analysis.over_targets, [[0.0, 1.0, 2.0], [2.0, 4.0, np.nan]])
    np.testing.assert_allclose(analysis.column_errors, [[2.0, 1.0], [0.0, 3.0]])
    assert analysis.worst_first.tolist() == [1, 0]


def test_distances_from_the_training_cases() -> None:
    analysis = analysis_by_hand()
    np.testing.assert_allclose(analysis.position[0], [0.0, 1.0, 1.5])
    np.testing.assert_allclose(analysis.position[1], [0.5, 0.5, np.nan])
    # The long case is farthest in its last row, the short one in its start.
    np.testing.assert_allclose(analysis.reach, [1.5, 2.0])


def test_the_worst_come_first_in_table_and_csv() -> None:
    analysis = analysis_by_hand()
    lines = [line.split() for line in worst_table(analysis).splitlines()]
    assert lines[1][:4] == ["short", "3", "p", "3"]
    assert lines[1][4:6] == ["2.00,", "farther"]
    rows = list(csv.reader(io.StringIO(errors_csv(analysis))))
    assert rows[0] == ["case", "nADE", "nFDE", "training_distance", "ADE/std T", "ADE/std p"]
    assert rows[1] == ["short", "3", "4", "2", "0", "3"]
    assert rows[2] == ["long", "1", "2", "1.5", "2", "1"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_diverged_is_infinite_and_first() -> None:
    channels = make_channels()
    cases = [Case(name, np.arange(4.0), np.zeros((4, 4), dtype=np.float32), channels) for name in ("fine", "lost")]
    predicted = [np.zeros((2, 2), dtype=np.float32), np.array([[0.0, np.nan], [3e38, np.inf]], dtype=np.float32)]
    analysis = analyse(cases, predicted, score(cases, predicted, channels, SCALE), [Position(np.zeros(4), 0.0)] * 2)
    assert analysis.finite.tolist() == [True, False]
    assert analysis.worst_first.tolist() == [1, 0]
    # The lost case is not shown; its targets: 0 and not a number, then at most 1e30 and infinite.
    assert analysis.by_column.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert analysis.over_targets[1].tolist() == [np.inf, np.inf]
    assert "inf" in worst_table(analysis)
