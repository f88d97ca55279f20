"""Fit the uncertainty band on errors of free runs: its shape on some cases, its factors on others.

Rows of a case are not exchangeable, cases are (split conformal prediction: Vovk et al. 2005; Lei et al. 2018).

- Single rows: each of n cases weighs 1 / (n + 1), shared by its rows, and the rest of the weight lies at infinity; q is
  the least factor that covers 0.9 of it (Dunn et al. 2022, arXiv:1809.07441; Lee et al. 2023, arXiv:2306.06342). Up to
  9 cases have no 0.9 of the weight but with all their rows: then the band of trajectories holds them as well.
- Whole trajectories: the score of a case is the maximum over its rows of |error| / (s + g(t)), and q the score of rank
  ceil(0.9 (n + 1)), or the largest one where there are fewer (Diquigiovanni et al. 2022, J. Multivariate Anal. 189).
- All targets: the score of a case is the maximum of these scores over the targets, each divided by the scale of its
  column. That scale comes from the cases that give g. The factors of single trajectories would not do: n cases set
  them, and a new case stays below all P of them with a probability as low as n / (n + P).

Where the same cases have to give shape and factors, each is scored with the shape that the others give (the jackknife;
Barber et al. 2021, Ann. Statist. 49), and the shape of the band is that of all.

Shape letters: H predicted rows, P predicted columns, K knots, N cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from surrogate_modeling.surrogate.band import LEVEL, Band, interpolated

# Least g(t), in training standard deviations: a column predicted without error has a band all the same.
MIN_GROWTH = 1e-4
# g(t) of whole trajectories is moved towards its mean by one of these parts, whichever gives the narrowest band around
# the cases that shape it: a maximum is drawn to where g(t) is small.
FLATNESSES = (0.0, 0.5, 1.0)
# So many cases have to lie inside with all their rows: their band of rows is that of trajectories.
ALL_ROWS = 9
# Parts that are left out in turn where the same cases give shape and factors.
MAX_PARTS = 10


class Residuals(NamedTuple):
    """Residuals of free runs over cases.

    Attributes:
        errors: absolute, (H, P) per case, physical units.
        spreads: of the members, (H, P) per case, physical units.
        distances: rows from the first predicted one, (H,) per case; some rows of a case may be left out.
    """

    errors: Sequence[np.ndarray]
    spreads: Sequence[np.ndarray]
    distances: Sequence[np.ndarray]

    @property
    def is_finite(self) -> bool:
        """Whether no free run diverged."""
        return all(np.isfinite(array).all() for array in (*self.errors, *self.spreads))

    @property
    def longest(self) -> int:
        """Rows that a free run needs to reach every row."""
        return 1 + max(int(distance[-1]) for distance in self.distances)

    def where(self, places: Sequence[int]) -> Residuals:
        """Some of the cases."""
        return Residuals(*([each[i] for i in places] for each in self))


class Scores(NamedTuple):
    """Scores of cases.

    Attributes:
        rows: |error| / (s + g(t)) of every row, (H, P) per case.
        peaks: the maximum over the rows of |error| / (s + peak(t)), (N, P).
        scaled: the same over the scale of the column (N, P).
    """

    rows: list[np.ndarray]
    peaks: np.ndarray
    scaled: np.ndarray


@dataclass(frozen=True)
class Shape:
    """What a band has before its factors.

    Attributes:
        knots: (K,) rows from the start.
        error: (K, P) g(t) of single rows, physical units.
        peak: (K, P) g(t) of whole trajectories, physical units.
        scale: (P,) how many times that the errors of 0.9 of the cases are at most.
    """

    knots: np.ndarray
    error: np.ndarray
    peak: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, cases: Residuals, floor: np.ndarray) -> Self:
        """The shape that cases give; ``floor`` is the least g(t), (P,)."""
        knots, error = _growth(cases, floor)
        level = interpolated(knots, error, cases.longest).mean(axis=0)
        best, narrowest = (error, np.ones_like(level)), np.full_like(level, np.inf)
        for flatness in FLATNESSES:
            peak = (1 - flatness) * error + flatness * level
            widths = _widths(cases, knots, peak)
            scale = np.quantile(_peaks(cases, widths), LEVEL, axis=0)
            width = scale * np.mean([width.mean(axis=0) for width in widths], axis=0)
            narrower = width < narrowest
            best = np.where(narrower, peak, best[0]), np.where(narrower, scale, best[1])
            narrowest = np.minimum(width, narrowest)
        return cls(knots, error, best[0], np.maximum(best[1], np.finfo(np.float64).tiny))

    def scores(self, cases: Residuals) -> Scores:
        """Scores of cases with this shape."""
        rows = [e / width for e, width in zip(cases.errors, _widths(cases, self.knots, self.error), strict=True)]
        peaks = _peaks(cases, _widths(cases, self.knots, self.peak))
        return Scores(rows, peaks, peaks / self.scale)


def calibrate_band(
    shaping: Residuals, calibrating: Residuals | None, scale: np.ndarray, targets: Sequence[int]
) -> Band | None:
    """Fit g(t) on some cases and the factors on others.

    Args:
        shaping: of cases that give g(t).
        calibrating: of cases that set the factors; None: the same cases, each scored with what the others give.
        scale: (P,) training standard deviations.
        targets: columns that are held together by scope ``all``.

    Returns:
        The band; None without cases, or where a free run over cases diverged.
    """
    judged = shaping if calibrating is None else calibrating
    if not shaping.errors or not judged.errors or not (shaping.is_finite and judged.is_finite):
        return None
    floor, columns = MIN_GROWTH * scale, list(targets)
    shape = Shape.of(shaping, floor)
    scores = _jackknife(shaping, floor) if calibrating is None else shape.scores(calibrating)
    alone = case_quantile(scores.peaks)
    if len(judged.errors) <= ALL_ROWS:
        error, factor = shape.peak, alone
    else:
        error = shape.error
        factor = np.array([row_quantile([rows[:, j] for rows in scores.rows]) for j in range(len(scale))])
    together = alone.copy()
    together[columns] = case_quantile(scores.scaled[:, columns].max(axis=1)) * shape.scale[columns]
    return Band(shape.knots, error, factor, shape.peak, alone, together, len(judged.errors))


def _jackknife(cases: Residuals, floor: np.ndarray) -> Scores:
    """Scores of cases, each with the shape that the other cases give; many cases are left out in parts."""
    count = len(cases.errors)
    if count == 1:
        return Shape.of(cases, floor).scores(cases)
    parts = min(count, MAX_PARTS)
    found = []
    for part in range(parts):
        others = cases.where([i for i in range(count) if i % parts != part])
        found.append(Shape.of(others, floor).scores(cases.where(range(part, count, parts))))
    rows = [case for scores in found for case in scores.rows]
    return Scores(rows, *(np.concatenate([scores[i] for scores in found]) for i in (1, 2)))


def _growth(cases: Residuals, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute error of the median case in bins of rows that double in length, at the middle of each."""
    longest, edges = cases.longest, [0]
    while edges[-1] < longest:
        edges.append(min(longest, max(1, 2 * edges[-1])))
    middles, means = [], []
    for first, last in pairwise(edges):
        places = [np.searchsorted(distance, (first, last)) for distance in cases.distances]
        inside = [error[i:j] for error, (i, j) in zip(cases.errors, places, strict=True) if i < j]
        if inside:
            middles.append((first + last - 1) / 2)
            # The median over cases: one case that goes wrong must not widen the band of all.
            means.append(np.median([error.mean(axis=0) for error in inside], axis=0))
    return np.array(middles), np.maximum(means, floor)


def _widths(cases: Residuals, knots: np.ndarray, growth: np.ndarray) -> list[np.ndarray]:
    """s + g(t) of each case (H, P)."""
    grown = interpolated(knots, growth, cases.longest)
    return [spread + grown[distance] for spread, distance in zip(cases.spreads, cases.distances, strict=True)]


def _peaks(cases: Residuals, widths: Sequence[np.ndarray]) -> np.ndarray:
    """The maximum over the rows of |error| / (s + g(t)), (N, P)."""
    return np.array([(error / width).max(axis=0) for error, width in zip(cases.errors, widths, strict=True)])


def case_quantile(scores: np.ndarray) -> np.ndarray:
    """Score of rank ceil(0.9 (n + 1)) of the n cases (N, ...), or the largest where there are fewer."""
    # Rounding must not push an exact rank one case on.
    rank = math.ceil(LEVEL * (len(scores) + 1) - 1e-9)
    return np.asarray(np.sort(scores, axis=0)[min(rank, len(scores)) - 1])


def row_quantile(ratios: Sequence[np.ndarray]) -> float:
    """Least ratio with LEVEL of the weight at or below it; each case weighs 1 / (n + 1), whatever its length."""
    weights = np.concatenate([np.full(len(ratio), 1 / ((len(ratios) + 1) * len(ratio))) for ratio in ratios])
    values = np.concatenate(ratios)
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    # Rounding of the sum must not push an exact hit one row on.
    return float(values[order][min(int(np.searchsorted(reached, LEVEL - 1e-9)), len(values) - 1)])
