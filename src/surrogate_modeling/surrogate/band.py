"""A 90 % band around predicted trajectories, calibrated by conformal prediction with the case as exchangeable unit.

The half-width of a column is q (s + g(t)): s is the spread of the members of an ensemble or a mixture (0 for one
network), g(t) the error of the median case at that distance from the start, and q a factor that cases set which had no
part in g (:mod:`surrogate_modeling.training.conformal`). What it holds with probability 0.9 is its scope:

- ``row``: a row drawn at random from a new case, for each column by itself. It is an average over cases: one case may
  lie outside for long, and the whole trajectory lies inside less often.
- ``trajectory``: all rows of a new case, for each column by itself.
- ``all``: all rows of all targets of a new case. A byproduct then has its own ``trajectory`` band.

Each promise is for a case that is exchangeable with the cases that set the band, its length included, if these had no
part in training. Early stopping has seen the validation cases, so it holds approximately only: the coverage on test
cases is measured and reported. With fewer than 9 cases the level cannot be had; the largest error then sets the band,
which promises n / (n + 1).

Shape letters: H predicted rows, P predicted columns, K knots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import BandScope as BandScope

LEVEL = 0.9
HOLDS = {
    BandScope.row: "a row of a column",
    BandScope.trajectory: "the whole trajectory of a column",
    BandScope.all: "the whole trajectories of all targets",
}
ARRAYS = ("knots", "error", "factor", "peak", "trajectory_factor", "all_factor")
Rows = TypeVar("Rows", np.ndarray, torch.Tensor)


class Banded(NamedTuple):
    """Trajectories and the 90 % band around them, each (B, H, P) or (H, P), physical units."""

    mean: Any
    lower: Any
    upper: Any


@dataclass(frozen=True)
class Band:
    """Calibrated parameters of the bands; only the spread of the members is added when one is applied.

    Attributes:
        knots: (K,) rows from the start at which the errors are known.
        error: (K, P) mean absolute errors of the median case: g(t) of single rows, physical units.
        factor: (P,) the factor q of single rows.
        peak: (K, P) g(t) of whole trajectories, physical units.
        trajectory_factor: (P,) q of the whole trajectory of one column.
        all_factor: (P,) q of the whole trajectories of all targets.
        cases: n, cases that set the factors.
        of_copies: whether the spread within an ensemble counts. It does not where each case that set the band was left
            out by one member of that ensemble only.
    """

    knots: np.ndarray
    error: np.ndarray
    factor: np.ndarray
    peak: np.ndarray
    trajectory_factor: np.ndarray
    all_factor: np.ndarray
    cases: int
    of_copies: bool = True

    @property
    def level(self) -> float:
        """Guaranteed coverage with this number of calibration cases: 0.9, or n / (n + 1)."""
        return min(LEVEL, self.cases / (self.cases + 1))

    def growth(self, rows: int, scope: BandScope = BandScope.row) -> np.ndarray:
        """g(t), (rows, P), linear between the knots and held beyond the last."""
        return interpolated(self.knots, self.growth_at(scope), rows)

    def growth_at(self, scope: BandScope) -> np.ndarray:
        """g(t) at the knots (K, P)."""
        return self.error if scope is BandScope.row else self.peak

    def factors(self, scope: BandScope = BandScope.row) -> np.ndarray:
        """The factor q of each column (P,)."""
        of_scope = {BandScope.row: self.factor, BandScope.trajectory: self.trajectory_factor}
        return of_scope.get(scope, self.all_factor)

    def bounds(self, mean: Rows, spread: Rows | float = 0.0, scope: BandScope = BandScope.row) -> Banded:
        """The band around trajectories.

        Args:
            mean: (..., H, P), from the first predicted row on, physical units.
            spread: of the members, the same shape; 0 for one network.
            scope: what it is to hold.

        Returns:
            Arrays for an array, tensors for a tensor.
        """
        if isinstance(mean, torch.Tensor):
            growth, factor = self.growth(mean.shape[-2], scope), self.factors(scope)
            half = torch.from_numpy(factor).to(mean) * (torch.from_numpy(growth).to(mean) + spread)
        else:
            half = self.half_width(mean.shape[-2], spread, scope).astype(mean.dtype)
        return Banded(mean, mean - half, mean + half)

    def half_width(self, rows: int, spread: np.ndarray | float = 0.0, scope: BandScope = BandScope.row) -> np.ndarray:
        """Half of the band's width (..., rows, P) in float64; arguments as in :meth:`bounds`."""
        return np.asarray(self.factors(scope) * (self.growth(rows, scope) + spread))

    def half_widths(self, spreads: Sequence[np.ndarray], scope: BandScope = BandScope.row) -> list[np.ndarray]:
        """Half-widths (H, P) float32 of many cases by their spreads (H, P).

        Where members do not spread, all cases of a length share one array: thousands of them are as small as one.
        """
        shared: dict[int, np.ndarray] = {}
        found = []
        for spread in spreads:
            rows = len(spread)
            if spread.any():
                found.append(self.half_width(rows, spread, scope).astype(np.float32))
            else:
                if rows not in shared:
                    shared[rows] = self.half_width(rows, 0.0, scope).astype(np.float32)
                found.append(shared[rows])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values to be saved beside the weights."""
        arrays = {key: torch.from_numpy(getattr(self, key)) for key in ARRAYS}
        return {**arrays, "cases": self.cases, "of_copies": self.of_copies}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Band:
        """Make a band from the values of :meth:`to_dict`."""
        arrays = {key: saved[key].numpy() for key in ARRAYS}
        return cls(**arrays, cases=saved["cases"], of_copies=saved["of_copies"])


def existing(band: Band | None, asked: str = "") -> Band:
    """The band of a surrogate; ``asked`` is what asks for it, the beginning of the message.

    Raises:
        UserError: it has none.
    """
    if band is None:
        raise UserError(
            f"{asked}this surrogate has no uncertainty band; one is calibrated at the end of training, on validation "
            "cases or cases left out, where all free runs are finite"
        )
    return band


def scope_of(name: BandScope | str) -> BandScope:
    """The scope of a name.

    Raises:
        UserError: there is none.
    """
    try:
        return BandScope(name)
    except ValueError:
        raise UserError(f"band={name}: must be one of {', '.join(map(str, BandScope))}") from None


def interpolated(knots: np.ndarray, values: np.ndarray, rows: int) -> np.ndarray:
    """Values (K, P) at the knots (K,) as (rows, P), linear between the knots and held beyond the last."""
    return np.stack([np.interp(np.arange(rows), knots, column) for column in values.T], axis=-1)
