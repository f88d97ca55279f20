"""The range of the training cases, and where a row lies in it.

Shape letters: T rows, N first columns, F feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.surrogate.scaling import Standardizer


@dataclass(frozen=True)
class Range:
    """Smallest and largest training value of each column (F,), and the columns' names and units."""

    channels: Channels
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, channels: Channels, scaling: Standardizer) -> Self:
        """What a fitted scaling knows of the training cases."""
        return cls(channels, scaling.low.cpu().numpy(), scaling.high.cpu().numpy())

    def position(self, values: np.ndarray) -> np.ndarray:
        """Where rows (T, N) of the first N columns lie: 0 in the middle of every range, 1 at the edge of one.

        A column that was constant counts as 0 where it has that value, and as infinitely far where it has not.
        """
        low, high = (edge[: values.shape[1]].astype(np.float64) for edge in (self.low, self.high))
        away, half = np.abs(values - (low + high) / 2), (high - low) / 2
        beyond = np.where(away > 1e-6 * np.maximum(np.abs(low), np.abs(high)), np.inf, 0.0)
        return np.where(half > 0, away / np.where(half > 0, half, 1.0), beyond).max(axis=1, initial=0.0)
