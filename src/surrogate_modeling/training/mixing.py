"""Weights of a mixture, learned on trajectories of cases that no member was fitted on.

For every predicted column the weights are at least 0, sum to 1, and make the mean ADE least (stacked regressions,
Breiman 1996, Machine Learning 24, with the absolute error in place of its square). On few cases they follow chance, so
they are drawn towards the best single member as far as cases left out once more ask for it.

Shape letters: M members, H predicted rows of a case, R rows of all cases, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Rows of all cases together: more of them hardly move a weight.
MAX_ROWS = 10_000
SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Weights below this are set to 0: a member that is used costs its whole prediction time.
MIN_WEIGHT = 0.02
# The least absolute error is reached by weighted squares (Schlossmacher 1973, JASA 68), in so many rounds.
ROUNDS = 24
MIN_RESIDUAL = 1e-4
# Of the condition that weights sum to 1, beside equations of unit size.
SUM_WEIGHT = 1e3


class Residuals(NamedTuple):
    """Predicted less true rows of cases that were left out, in training standard deviations.

    Attributes:
        values: (M, R, P).
        share: (R,), 1 / H of the row's case: every case counts the same.
        fold: (R,), number of the part in which the row's case was left out.
    """

    values: np.ndarray
    share: np.ndarray
    fold: np.ndarray

    @classmethod
    def of(
        cls,
        members: Sequence[Sequence[np.ndarray]],
        truth: Sequence[np.ndarray],
        folds: Sequence[int],
        scale: np.ndarray,
    ) -> Residuals:
        """Collect evenly spaced rows of all cases.

        Args:
            members: per member and case (H, P).
            truth: per case (H, P).
            folds: per case, the part in which it was left out.
            scale: training standard deviations (P,).
        """
        step = max(1, sum(map(len, truth)) // MAX_ROWS)
        wanted = [rows[::step].astype(np.float64) for rows in truth]
        values = np.stack(
            [np.concatenate([p[::step] - t for p, t in zip(cases, wanted, strict=True)]) for cases in members]
        )
        share = np.concatenate([np.full(len(rows), 1.0 / len(rows)) for rows in wanted])
        fold = np.concatenate([np.full(len(rows), k) for rows, k in zip(wanted, folds, strict=True)])
        return cls(values / scale, share / share.sum(), fold)

    def where(self, chosen: np.ndarray) -> Residuals:
        """Some of the rows."""
        share = self.share[chosen]
        return Residuals(self.values[:, chosen], share / share.sum(), self.fold[chosen])

    @property
    def errors(self) -> np.ndarray:
        """Mean ADE of each member (M, P)."""
        return np.einsum("mrp,r->mp", np.abs(self.values), self.share)

    def error_of(self, weight: np.ndarray) -> np.ndarray:
        """Mean ADE (P,) of the mixture with weights (M, P)."""
        return self.share @ np.abs(np.einsum("mrp,mp->rp", self.values, weight))


def learn_weights(residuals: Residuals) -> np.ndarray:
    """Learn the weights (M, P), shrunk towards the best single member of each column."""
    return without_traces(shrunk(least_error_weights(residuals), residuals.errors, choose_shrinkage(residuals)))


def without_traces(weight: np.ndarray) -> np.ndarray:
    """Weights (M, P) of which those below ``MIN_WEIGHT`` are 0."""
    weight = np.where(weight < MIN_WEIGHT, 0.0, weight)
    return weight / weight.sum(axis=0)


def choose_shrinkage(residuals: Residuals) -> float:
    """The shrinkage of least error, every part being left out once more; 1 where there is one part only."""
    parts = np.unique(residuals.fold)
    if len(parts) < 2:
        return SHRINKAGES[-1]
    errors = np.zeros(len(SHRINKAGES))
    for part in parts:
        others, left_out = residuals.where(residuals.fold != part), residuals.where(residuals.fold == part)
        weight, single = least_error_weights(others), others.errors
        # Relative to the best member, so that a column that is hard to predict does not decide alone.
        best = np.maximum(left_out.errors.min(axis=0), MIN_RESIDUAL)
        errors += [float((left_out.error_of(shrunk(weight, single, each)) / best).mean()) for each in SHRINKAGES]
    return SHRINKAGES[int(errors.argmin())]


def shrunk(weight: np.ndarray, errors: np.ndarray, strength: float) -> np.ndarray:
    """Weights (M, P) moved by ``strength`` towards the member of least error (M, P) in each column."""
    best = np.eye(len(errors))[:, errors.argmin(axis=0)]
    return (1.0 - strength) * weight + strength * best


def least_error_weights(residuals: Residuals) -> np.ndarray:
    """Weights (M, P), each column at least 0 and 1 in total, of the least mean ADE."""
    columns = np.moveaxis(residuals.values, 2, 0)
    return np.stack([_column(values, residuals.share) for values in columns], axis=1)


def _column(residuals: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Weights (M,) of one column from the members' residuals (M, R) and the weight of each row (R,)."""
    # Takes a fifth of a second, for which a run that mixes nothing need not wait.
    from scipy.optimize import nnls

    count = len(residuals)
    candidates = [*np.eye(count)]
    weight = np.full(count, 1.0 / count)
    total = np.append(np.zeros(count), SUM_WEIGHT)
    for _ in range(ROUNDS):
        # With weights that sum to 1, the residual of the mixture is the mixture of the residuals.
        scaled = residuals * np.sqrt(share / np.abs(weight @ residuals).clip(MIN_RESIDUAL))
        gram = scaled @ scaled.T
        values, vectors = np.linalg.eigh(gram / max(float(np.trace(gram)), MIN_RESIDUAL**4))
        root = (vectors * np.sqrt(values.clip(0.0))).T
        solved, _ = nnls(np.concatenate((root, np.full((1, count), SUM_WEIGHT))), total)
        weight = solved / solved.sum()
        candidates.append(weight)
    errors = [float(np.abs(each @ residuals) @ share) for each in candidates]
    return candidates[int(np.argmin(errors))]
