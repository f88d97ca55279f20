"""A 90 % band around predicted trajectories: split conformal calibration on the validation cases.

The half-width of a column is q (s + g(t)): s is the spread of the ensemble (0 for one network), g(t) the mean
absolute error of the median training case in free run at that distance from the start, and q the least factor that
covers enough of the validation cases (Vovk et al. 2005; Lei et al. 2018). Rows of a case are not exchangeable, cases
are. So each of n validation cases weighs 1 / (n + 1), shared by its rows, and the rest of the weight lies at infinity
(Dunn et al. 2022, arXiv:1809.07441; Lee et al. 2023, arXiv:2306.06342).

What is guaranteed, per column: a row drawn at random from a new case lies in the band with probability 0.9 or more, if
the case is exchangeable with the validation cases and these had no part in training. It is an average over cases: one
case may lie outside for long, and the whole trajectory lies inside less often. Early stopping has seen the
validation cases, so the promise holds approximately only: the coverage on test cases is measured and reported. With
fewer than 9 validation cases the level cannot be had; the largest error then sets the band, which promises n / (n + 1).

Shape letters: H predicted rows, P predicted columns, K knots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

LEVEL = 0.9
# Least g(t), in training standard deviations: a column predicted without error has a band all the same.
MIN_GROWTH = 1e-4


class Banded(NamedTuple):
    """Trajectories and the 90 % band around them, each (B, H, P) or (H, P), physical units."""

    mean: Any
    lower: Any
    upper: Any


@dataclass(frozen=True)
class Band:
    """Calibrated parameters of the band; only the spread of the ensemble is added when it is applied.

    Attributes:
        knots: (K,) rows from the start at which ``error`` is known.
        error: (K, P) mean absolute errors of the median training case, physical units.
        factor: (P,) the factor q.
        cases: n, cases that set it.
        of_spread: whether the spread of an ensemble is added. It is not where each case that set the band was left out
            by one member only.
    """

    knots: np.ndarray
    error: np.ndarray
    factor: np.ndarray
    cases: int
    of_spread: bool = True

    @property
    def level(self) -> float:
        """Guaranteed coverage with this number of calibration cases: 0.9, or n / (n + 1)."""
        return min(LEVEL, self.cases / (self.cases + 1))

    def growth(self, rows: int) -> np.ndarray:
        """g(t), (rows, P), linear between the knots and held beyond the last."""
        return _interpolated(self.knots, self.error, rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values to be saved beside the weights."""
        arrays = {key: torch.from_numpy(getattr(self, key)) for key in ("knots", "error", "factor")}
        return {**arrays, "cases": self.cases, "of_spread": self.of_spread}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Band:
        """Make a band from the values of :meth:`to_dict`."""
        knots, error, factor = (saved[key].numpy() for key in ("knots", "error", "factor"))
        return cls(knots, error, factor, saved["cases"], saved["of_spread"])


def mean_and_deviation(trajectories: Iterator[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of trajectories that come one by one, by Welford's running moments.

    All at once would cost their number in memory.

    Args:
        trajectories: at least one, each (B, H, P).

    Returns:
        Two of (B, H, P); the deviation of a single one is (), 0.
    """
    mean, count = next(trajectories), 1
    squares = mean.new_zeros(())
    for count, rows in enumerate(trajectories, start=2):
        departure = rows - mean
        mean = mean + departure / count
        squares = squares + departure * (rows - mean)
    return mean, (squares / max(1, count - 1)).sqrt()


def calibrate_band(
    training: Sequence[np.ndarray], errors: Sequence[np.ndarray], spreads: Sequence[np.ndarray], scale: np.ndarray
) -> Band | None:
    """Fit g(t) on training cases and q on validation cases.

    Args:
        training: absolute errors (H, P) of free runs over training cases.
        errors: the same of the validation cases.
        spreads: (H, P) of the ensemble over the validation cases.
        scale: (P,) training standard deviations.

    Returns:
        The band; None without validation cases, or where a free run over cases diverged.
    """
    if not errors or not all(np.isfinite(array).all() for array in (*training, *errors, *spreads)):
        return None
    knots, growth = _growth(training, scale)
    ratios = [e / (s + _interpolated(knots, growth, len(e))) for e, s in zip(errors, spreads, strict=True)]
    factor = np.array([_case_quantile([ratio[:, j] for ratio in ratios]) for j in range(len(scale))])
    return Band(knots, growth, factor, len(errors))


def _growth(errors: Sequence[np.ndarray], scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute error of the median case in bins of rows that double in length, at the middle of each."""
    longest = max(map(len, errors))
    edges = [0]
    while edges[-1] < longest:
        edges.append(min(longest, max(1, 2 * edges[-1])))
    middles, means = [], []
    for first, last in pairwise(edges):
        middles.append((first + last - 1) / 2)
        # The median over cases: one case that goes wrong must not widen the band of all.
        means.append(np.median([e[first:last].mean(axis=0) for e in errors if len(e) > first], axis=0))
    return np.array(middles), np.maximum(means, MIN_GROWTH * scale)


def _interpolated(knots: np.ndarray, values: np.ndarray, rows: int) -> np.ndarray:
    return np.stack([np.interp(np.arange(rows), knots, column) for column in values.T], axis=-1)


def _case_quantile(ratios: Sequence[np.ndarray]) -> float:
    """Least ratio with LEVEL of the weight at or below it; each case weighs 1 / (n + 1), whatever its length."""
    weights = np.concatenate([np.full(len(ratio), 1 / ((len(ratios) + 1) * len(ratio))) for ratio in ratios])
    values = np.concatenate(ratios)
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    # Rounding of the sum must not push an exact hit one row on.
    return float(values[order][min(int(np.searchsorted(reached, LEVEL - 1e-9)), len(values) - 1)])
