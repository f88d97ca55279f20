"""Ridge regression from sums over rows: sums of parts add up, and any penalty on any features is solved from them.

Shape letters: R rows, N features, P outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Less spread than this is rounding of standardised features.
CONSTANT = 1e-8


@dataclass(frozen=True)
class Moments:
    """Sums over rows, in float64."""

    rows: int
    features: np.ndarray
    outputs: np.ndarray
    gram: np.ndarray
    cross: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, outputs: np.ndarray) -> Moments:
        """Of features (R, N) and outputs (R, P)."""
        sums = features.sum(axis=0), outputs.sum(axis=0)
        return cls(len(features), *sums, features.T @ features, features.T @ outputs)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.rows + other.rows, self.features + other.features, self.outputs + other.outputs,
            self.gram + other.gram, self.cross + other.cross,
        )  # fmt: skip

    def __sub__(self, other: Moments) -> Moments:
        return Moments(
            self.rows - other.rows, self.features - other.features, self.outputs - other.outputs,
            self.gram - other.gram, self.cross - other.cross,
        )  # fmt: skip


def ridge(known: Moments, penalty: float, used: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Weights (N, P) and offset (P,) of the ridge regression on standardised features (Hoerl and Kennard 1970).

    The offset is not penalised, and a constant feature gets no weight.

    Args:
        known: sums over the rows.
        penalty: against a feature's variance of 1.
        used: positions of the features that take part, which N then counts; None for all.
    """
    used = np.arange(len(known.features)) if used is None else used
    mean, mean_outputs = known.features[used] / known.rows, known.outputs / known.rows
    covariance = known.gram[np.ix_(used, used)] / known.rows - np.outer(mean, mean)
    cross = known.cross[used] / known.rows - np.outer(mean, mean_outputs)
    spread = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    scale = np.where(spread > CONSTANT, spread, np.inf)
    penalised = covariance / scale / scale[:, None] + penalty * np.eye(len(used))
    weights = np.linalg.solve(penalised, cross / scale[:, None]) / scale[:, None]
    return weights, mean_outputs - mean @ weights
