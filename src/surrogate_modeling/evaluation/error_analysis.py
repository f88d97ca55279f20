"""Break the error down by case, column, time, and distance from the training cases.

Shape letters: B cases, H predicted rows of the longest case, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.surrogate.training_range import BEYOND, Position

# Worst cases listed in the log.
MAX_CASES_LOGGED = 5
# Finite errors are capped here, so that their means stay finite in float32.
MAX_FINITE_ERROR = 1e30
# Cases with a larger nADE are left out of curves over time and distance, which they would flatten.
MAX_SHOWN_ERROR = 10.0
BIN_WIDTH, MAX_DISTANCE, MIN_ROWS_PER_BIN = 0.1, 2.0, 10


@dataclass(frozen=True)
class ErrorAnalysis:
    """Errors normalised by the columns' training standard deviations; NaN after the end of shorter cases.

    Attributes:
        scores: of the cases.
        time: (H,) since the last given row [s].
        over_targets: (B, H) absolute error of each row, mean over the targets; of a column a finite one at most 1e30.
        by_column: (H, P) absolute error of each column, mean over the :attr:`shown` cases that reach a row.
        position: (B, H) how far each row's controls are from the training cases, see :class:`Position`.
        reach: (B,) largest distance among a case's rows and its start.
    """

    scores: Scores
    time: np.ndarray
    over_targets: np.ndarray
    by_column: np.ndarray
    position: np.ndarray
    reach: np.ndarray

    @property
    def column_errors(self) -> np.ndarray:
        """ADE over standard deviation (B, P)."""
        return self.scores.ade / self.scores.scale

    @property
    def worst_first(self) -> np.ndarray:
        """Indices of the cases (B,), largest nADE first."""
        return np.argsort(-self.scores.case_nade, kind="stable")

    @property
    def finite(self) -> np.ndarray:
        """Mask (B,) of the cases that did not diverge."""
        return _finite(self.scores)

    @property
    def shown(self) -> np.ndarray:
        """Mask (B,) of the cases whose curves fit a common axis."""
        return _shown(self.scores)

    def distance_bins(self) -> np.ndarray:
        """Error of the rows of :attr:`shown` cases in bins of their distance from the training cases.

        Returns:
            (bins, 4): middle of the bin, mean, 5 % and 95 % quantile of the error; the last bin holds all that is
            farther, and bins of fewer than ``MIN_ROWS_PER_BIN`` rows are left out.
        """
        error, position = self.over_targets[self.shown], np.minimum(self.position[self.shown], MAX_DISTANCE)
        there = ~np.isnan(position)
        if not there.any():
            return np.empty((0, 4))
        # An edge belongs to the inside.
        which = np.maximum(np.ceil(position[there] / BIN_WIDTH - 1e-6).astype(int) - 1, 0)
        values, bins = error[there], []
        for k in range(which.max() + 1):
            inside = values[which == k]
            if len(inside) >= MIN_ROWS_PER_BIN:
                bins.append(((k + 0.5) * BIN_WIDTH, inside.mean(dtype=np.float64), *np.quantile(inside, (0.05, 0.95))))
        return np.array(bins).reshape(-1, 4)


def _finite(scores: Scores) -> np.ndarray:
    return np.asarray(np.isfinite(scores.ade).all(axis=1))


def _shown(scores: Scores) -> np.ndarray:
    near = scores.case_nade <= MAX_SHOWN_ERROR
    return near if near.any() else _finite(scores)


def analyse(
    cases: Sequence[Case], predicted: Sequence[np.ndarray], scores: Scores, positions: Sequence[Position]
) -> ErrorAnalysis:
    """Compute the errors by case, row and column.

    Args:
        cases: with the truth (T, F), in the order of the scores.
        predicted: (T - in_len, P) per case.
        scores: of these.
        positions: how far each case is from the training cases.
    """
    longest = max(range(len(cases)), key=lambda i: len(predicted[i]))
    rows = len(predicted[longest])
    time = cases[longest].time[-rows:] - cases[longest].time[-rows - 1]
    over_targets, targets = np.full((len(cases), rows), np.nan, np.float32), scores.channels.target_indices
    # Added up case by case: the errors of thousands of cases in all columns are not held at once.
    total, reached, shown = np.zeros((rows, predicted[longest].shape[1])), np.zeros((rows, 1)), _shown(scores)
    position, reach = np.full((len(cases), rows), np.nan), np.zeros(len(cases))
    for i, (case, given) in enumerate(zip(cases, predicted, strict=True)):
        count = len(given)
        error = np.abs(given.astype(np.float64) - case.truth(count)) / scores.scale
        error = np.where(np.isfinite(error), np.minimum(error, MAX_FINITE_ERROR), np.inf)
        over_targets[i, :count] = error[:, targets].mean(axis=1)
        if shown[i]:
            total[:count] += error
            reached[:count] += 1
        position[i, :count] = positions[i].rows[-count:]
        reach[i] = max(positions[i].rows.max(), positions[i].start)
    with np.errstate(invalid="ignore"):
        by_column = total / reached
    return ErrorAnalysis(scores, time, over_targets, by_column, position, reach)


def worst_table(analysis: ErrorAnalysis) -> str:
    """Text table of the worst cases: nADE, worst target, and distance from the training cases."""
    scores, errors = analysis.scores, analysis.column_errors
    targets = scores.channels.target_indices
    lines = [["case", "nADE", "worst target", "its ADE/std", "distance from the training cases"]]
    for i in analysis.worst_first[:MAX_CASES_LOGGED]:
        worst = max(targets, key=lambda j: errors[i, j])
        reach = analysis.reach[i]
        where = f"{reach:.2f}{', farther than they are apart' if reach >= BEYOND else ''}"
        name = scores.channels.predicted[worst]
        lines.append([scores.cases[i], f"{scores.case_nade[i]:.4g}", name, f"{errors[i, worst]:.4g}", where])
    return aligned(lines)


def errors_csv(analysis: ErrorAnalysis) -> str:
    """CSV with a line per case, worst first: nADE, nFDE, distance from the training cases, ADE/std of every column."""
    scores, errors = analysis.scores, analysis.column_errors
    targets = scores.channels.target_indices
    lines = [["case", "nADE", "nFDE", "training_distance", *(f"ADE/std {name}" for name in scores.channels.predicted)]]
    final = (scores.fde[:, targets] / scores.scale[targets]).mean(axis=1)
    for i in analysis.worst_first:
        numbers = [scores.case_nade[i], final[i], analysis.reach[i], *errors[i]]
        lines.append([scores.cases[i], *(f"{value:.6g}" for value in numbers)])
    return csv_text(lines)
