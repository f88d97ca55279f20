"""What tells the next row of a column: its own past, or that of the others; and how many past rows matter.

A column is told by the others if their past makes the prediction of its next row better than its own past alone
(causality in the sense of Granger, Econometrica 37, 1969), at the step of the rows or as means over several of them.
Inputs are not, outputs are.

Shape letters: T rows, R fitted rows, F columns, K columns or components that stand for all, N features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.inspection.series import Series, halves

# Rows that are averaged: what a slow column answers does not show from one row to the next.
SCALES = (1, 4, 16)
# Past rows of a column itself, and of all.
OWN_ROWS, OTHER_ROWS = 8, 2
# More columns are represented by as many principal components.
MAX_COLUMNS = 48
RIDGE = 1e-6
# Rows fitted for each feature, at least.
ROWS_PER_FEATURE = 10
# Numbers of past rows that are tried, and the gain in error that is worth more of them.
PAST_ROWS = (3, 5, 10, 20)
WORTH = 1.05
MAX_PAST_COLUMNS = 24


@dataclass(frozen=True)
class Told:
    """Error of the next row with the past of all columns over that with a column's own past, on other cases, (F,) each.

    1 where the others tell nothing; NaN for columns that do not change within a case, or where rows are too few.

    Attributes:
        finest: from one row to the next.
        least: the least over all scales, which blur steps, but show what is slow.
    """

    finest: np.ndarray
    least: np.ndarray


def told_by_others(series: Series) -> Told:
    """Measure how well the others tell the next row of each column."""
    columns = series.varying
    finest, least = np.full((2, len(series.names)), np.nan)
    for scale in SCALES:
        tables = [_averaged(case[:, columns], scale) for case in series.cases]
        fit, check = halves(tables, OWN_ROWS + 3)
        features = OTHER_ROWS * min(len(columns), MAX_COLUMNS) + OWN_ROWS
        rows = sum(len(table) - OWN_ROWS for table in fit)
        if not len(columns) or not fit or not check or rows < ROWS_PER_FEATURE * features:
            break
        least[columns] = np.fmin(least[columns], ratios := _ratios(fit, check))
        if scale == SCALES[0]:
            finest[columns] = ratios
    return Told(finest, least)


def _averaged(case: np.ndarray, scale: int) -> np.ndarray:
    whole = len(case) // scale * scale
    return case[:whole].reshape(-1, scale, case.shape[1]).mean(axis=1)


def _ratios(fit: Sequence[np.ndarray], check: Sequence[np.ndarray]) -> np.ndarray:
    """Error with the past of all over that with a column's own, of each column (F,)."""
    basis = _components(fit, MAX_COLUMNS)
    known = _rows(fit, basis, OTHER_ROWS, OWN_ROWS)
    size = _scale(known)
    known, unknown = known / size, _rows(check, basis, OTHER_ROWS, OWN_ROWS) / size
    gram = known.T @ known / len(known)
    ratios = np.empty(fit[0].shape[1])
    for j in range(len(ratios)):
        column = [[table[:, j : j + 1] for table in part] for part in (fit, check)]
        own, own_check = (_rows(part, None, OWN_ROWS, OWN_ROWS) for part in column)
        own_size = _scale(own)
        own, own_check = own / own_size, own_check / own_size
        target, truth = (np.concatenate([np.diff(t[:, j])[OWN_ROWS:] for t in part]) for part in (fit, check))
        cross, own_gram = own.T @ known / len(own), own.T @ own / len(own)
        right = np.concatenate((own.T @ target, known.T @ target)) / len(own)
        alone = _solve(own_gram, right[: len(own_gram)])
        both = _solve(np.block([[own_gram, cross], [cross.T, gram]]), right)
        errors = [
            float(np.square(truth - features @ weights).mean())
            for features, weights in ((own_check, alone), (np.hstack((own_check, unknown)), both))
        ]
        # What is predicted to rounding is not told better by anything.
        floor = 1e-10 * float(np.square(truth).mean()) + 1e-30
        ratios[j] = (errors[1] + floor) / (errors[0] + floor)
    return ratios


def _components(tables: Sequence[np.ndarray], most: int) -> np.ndarray | None:
    """Directions (F, K) of the largest principal components; None where there are few columns."""
    if tables[0].shape[1] <= most:
        return None
    rows = np.concatenate(tables)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, -most:]


def _rows(tables: Sequence[np.ndarray], basis: np.ndarray | None, past: int, first: int) -> np.ndarray:
    """Features (R, N) of the rows ``first`` and on but the last: level, ``past`` - 1 changes before it, and 1."""
    blocks = []
    for whole in tables:
        table = whole if basis is None else whole @ basis
        changes = np.diff(table, axis=0)
        last = len(table) - 1
        parts = [table[first:last], *(changes[first - 1 - k : last - 1 - k] for k in range(past - 1))]
        blocks.append(np.hstack((*parts, np.ones((last - first, 1)))))
    return np.concatenate(blocks)


def _scale(features: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.square(features).mean(axis=0))
    return np.where(size > 1e-9, size, 1.0)


def _solve(gram: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.linalg.solve(gram + RIDGE * np.eye(len(gram)), right)


def past_rows(series: Series, predicted: Sequence[int]) -> int:
    """Number of past rows beyond which more do not help to predict the next row of some columns linearly.

    Args:
        series: of cases.
        predicted: positions of the columns; those that do not change within a case are passed over.
    """
    columns = np.intersect1d(predicted, series.varying).astype(int).tolist()
    fit, check = series.halves(max(PAST_ROWS) + 3)
    if not columns or not fit or not check:
        return PAST_ROWS[0]
    varying = [[table[:, series.varying] for table in part] for part in (fit, check)]
    basis = _components(varying[0], MAX_PAST_COLUMNS)
    errors: dict[int, float] = {}
    for past in PAST_ROWS:
        features, others = (_rows(part, basis, past, max(PAST_ROWS) - 1) for part in varying)
        if len(features) < ROWS_PER_FEATURE * features.shape[1]:
            break
        scale = _scale(features)
        target, truth = (
            np.concatenate([np.diff(table[:, columns], axis=0)[max(PAST_ROWS) - 1 :] for table in part])
            for part in (fit, check)
        )
        features /= scale
        weights = _solve(features.T @ features / len(features), features.T @ target / len(features))
        rest = np.square(truth - (others / scale) @ weights).mean(axis=0)
        errors[past] = float(np.exp(np.log(np.sqrt(rest) + 1e-12).mean()))
    best = min(errors.values(), default=0.0)
    return next((past for past, error in errors.items() if error <= WORTH * best), PAST_ROWS[0])
