"""Ridge regression from sums over rows: sums of parts add up, and any penalty on any features is solved from them.

All in float64. Some features may belong to one output alone (see :class:`OwnMoments`): the others then share one
decomposition, and the work is linear in the number of outputs.

Shape letters: R rows, N features, P outputs, K features of an output alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import torch
from torch import Tensor

# Less spread than this is rounding of standardised features, which single precision holds to some 1e-7.
MIN_STANDARD_DEVIATION = 1e-5
# Rows of a trajectory repeat each other: past this many, every second, third, ... row is used.
MAX_FITTED_ROWS = 100_000
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
# Rows that are cast to float64 at once.
CAST_ROWS = 10_000
# Outputs whose own features are solved for at once.
OUTPUTS_AT_ONCE = 256


class _Sums:
    """Base class of sums over rows; two of them add and subtract field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))  # type: ignore[arg-type]

    def __sub__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Moments(_Sums):
    """Sums over rows that a ridge regression needs.

    Attributes:
        rows: R.
        features: (N,).
        outputs: (P,).
        gram: (N, N), products of two features.
        cross: (N, P), products of a feature and an output.
    """

    rows: int
    features: Tensor
    outputs: Tensor
    gram: Tensor
    cross: Tensor

    @classmethod
    def of(cls, features: Tensor, outputs: Tensor) -> Moments:
        """Sum up features (R, N) and outputs (R, P) on any device; the sums are on the CPU."""
        parts = zip(features.split(CAST_ROWS), outputs.split(CAST_ROWS), strict=True)
        first, *rest = (cls._of_few(x.cpu().double(), y.cpu().double()) for x, y in parts)
        for part in rest:
            first = first + part
        return first

    @classmethod
    def _of_few(cls, features: Tensor, outputs: Tensor) -> Moments:
        # NumPy sees that the first product is symmetric, and computes half of it.
        rows, targets = features.numpy(), outputs.numpy()
        products = torch.from_numpy(rows.T @ rows), torch.from_numpy(rows.T @ targets)
        return cls(len(features), features.sum(dim=0), outputs.sum(dim=0), *products)


@dataclass(frozen=True)
class OwnMoments(_Sums):
    """Sums over rows of features that each output has for itself: a function of time, times a level of the output.

    Attributes:
        features: (K, P).
        mixed: (N, K, P), products with a feature of all outputs.
        gram: (K, K, P), products of two of them.
        cross: (K, P), products with the output.
    """

    features: Tensor
    mixed: Tensor
    gram: Tensor
    cross: Tensor

    @classmethod
    def of(cls, features: Tensor, basis: Tensor, level: Tensor, outputs: Tensor) -> OwnMoments:
        """Sum up rows of constant level: features (R, N), basis (R, K), level (P,) and outputs (R, P)."""
        return cls(
            basis.sum(dim=0)[:, None] * level,
            (features.T @ basis)[:, :, None] * level,
            (basis.T @ basis)[:, :, None] * level**2,
            (basis.T @ outputs) * level,
        )


class Fit(NamedTuple):
    """Solution of a ridge regression: weights (N, P), weights of each output's own features (K, P), offset (P,)."""

    weights: Tensor
    own: Tensor
    offset: Tensor


def ridge(moments: Moments, penalty: float, used: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Solve a ridge regression on standardised features: weights (N, P), offset (P,) (Hoerl and Kennard 1970).

    The offset is not penalised, and a constant feature gets no weight.

    Args:
        moments: sums over the rows.
        penalty: against a feature's variance of 1.
        used: positions of the features that take part, which N then counts; None for all.
    """
    solver = RidgeSolver(moments, used)
    fit = solver.solve(penalty)
    return fit.weights, fit.offset


class RidgeSolver:
    """Ridge regressions on a choice of features, for any penalty.

    Args:
        moments: sums over the rows.
        used: positions of the features that take part, which N then counts; None for all.
        own: sums of the features of an output alone; None without any.
        used_own: positions of those that take part, which K then counts.
    """

    def __init__(
        self,
        moments: Moments,
        used: Tensor | None = None,
        own: OwnMoments | None = None,
        used_own: Tensor | None = None,
    ) -> None:
        used = torch.arange(len(moments.features)) if used is None else used
        self.rows = moments.rows
        self.mean, self.mean_outputs = moments.features[used] / self.rows, moments.outputs / self.rows
        covariance = moments.gram[used][:, used] / self.rows - torch.outer(self.mean, self.mean)
        cross = moments.cross[used] / self.rows - torch.outer(self.mean, self.mean_outputs)
        self.scale = _scale(covariance.diagonal())
        self.covariance, self.cross = covariance / self.scale / self.scale[:, None], cross / self.scale[:, None]
        self.own, self.used, self.used_own = own, used, None if own is None else used_own

    def solve(self, penalty: float, outputs: Tensor | None = None) -> Fit:
        """Solve the regression of all outputs, or of those at some positions.

        Args:
            penalty: against a feature's variance of 1.
            outputs: positions, which P then counts.
        """
        chosen = torch.arange(self.cross.shape[1]) if outputs is None else outputs
        solve = _factorised(self.covariance + penalty * torch.eye(len(self.covariance)).double())
        if self.own is None or self.used_own is None:
            weights = solve(self.cross[:, chosen]) / self.scale[:, None]
            offset = self.mean_outputs[chosen] - self.mean @ weights
            return Fit(weights, weights.new_zeros(0, len(chosen)), offset)
        parts = [self._with_own(penalty, solve, part) for part in chosen.split(OUTPUTS_AT_ONCE)]
        return Fit(*(torch.cat(pieces, dim=-1) for pieces in zip(*parts, strict=True)))

    def _with_own(self, penalty: float, solve: Callable[[Tensor], Tensor], outputs: Tensor) -> Fit:
        """Solve with each output's own features, by the Schur complement of the block that all outputs share."""
        assert self.own is not None
        assert self.used_own is not None
        own, used, places = self.own, self.used, self.used_own
        mean = own.features[places][:, outputs] / self.rows
        gram = own.gram[places][:, places][..., outputs] / self.rows - mean[:, None] * mean
        cross = own.cross[places][:, outputs] / self.rows - mean * self.mean_outputs[outputs]
        mixed = own.mixed[used][:, places][..., outputs] / self.rows - self.mean[:, None, None] * mean
        scale = _scale(gram.diagonal().T)
        gram, cross, mixed = gram / scale / scale[:, None], cross / scale, mixed / self.scale[:, None, None] / scale
        count, size = len(outputs), len(places)
        shared = solve(mixed.flatten(1)).unflatten(1, (size, count))
        alone = solve(self.cross[:, outputs])
        left = gram - torch.einsum("nkp,nlp->klp", mixed, shared) + penalty * torch.eye(size).double()[..., None]
        right = cross - torch.einsum("nkp,np->kp", mixed, alone)
        own_weights = torch.linalg.solve(left.permute(2, 0, 1), right.T[..., None])[..., 0].T
        weights = (alone - torch.einsum("nkp,kp->np", shared, own_weights)) / self.scale[:, None]
        own_weights = own_weights / scale
        offset = self.mean_outputs[outputs] - self.mean @ weights - (mean * own_weights).sum(dim=0)
        return Fit(weights, own_weights, offset)


def _scale(variance: Tensor) -> Tensor:
    """Standard deviations; infinite for constant features."""
    spread = variance.clamp_min(0.0).sqrt()
    return torch.where(spread > MIN_STANDARD_DEVIATION, spread, torch.inf)


def _factorised(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """Factorise a symmetric matrix once; returns a function that solves equations with it."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if not failed:
        return lambda right: torch.cholesky_solve(right, factor)
    # Features so nearly equal that rounding outweighs the penalty.
    factors = torch.linalg.lu_factor(matrix)
    return lambda right: torch.linalg.lu_solve(*factors, right)
