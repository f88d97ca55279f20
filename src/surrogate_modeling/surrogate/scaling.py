"""Standardisation, and the range of the training rows, that travel with the network."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

# A spread this small against the largest value is float32 rounding, not a signal.
CONSTANT_SPREAD = 1e-6


class Standardizer(nn.Module):
    """z = (x - mean) / scale per column, with mean and scale as buffers (F,).

    ``low`` and ``high`` (F,) are the smallest and largest training value: beyond them a network extrapolates. They are
    NaN until fitted.
    """

    mean: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))
        self.register_buffer("low", torch.full((columns,), torch.nan))
        self.register_buffer("high", torch.full((columns,), torch.nan))

    def fit(self, cases: Iterable[np.ndarray]) -> list[int]:
        """Take mean and standard deviation (population form) and range from training rows, each case (T, F).

        Returns:
            Columns that are constant over the training rows; they are scaled by 1.
        """
        arrays = list(cases)
        rows = sum(len(array) for array in arrays)
        mean = sum(array.sum(axis=0, dtype=np.float64) for array in arrays) / rows
        # Two passes: the sum of squares alone would lose a small spread on a large level (pressure in Pa).
        variance = sum(((array - mean) ** 2).sum(axis=0) for array in arrays) / rows
        low = np.min([array.min(axis=0) for array in arrays], axis=0)
        high = np.max([array.max(axis=0) for array in arrays], axis=0)
        largest = np.maximum(np.abs(low), np.abs(high))
        spread = np.sqrt(variance)
        constant = spread <= CONSTANT_SPREAD * largest
        self.low.copy_(torch.as_tensor(low, dtype=torch.float32))
        self.high.copy_(torch.as_tensor(high, dtype=torch.float32))
        self.mean.copy_(torch.as_tensor(mean, dtype=torch.float32))
        self.scale.copy_(torch.as_tensor(np.where(constant, 1.0, spread), dtype=torch.float32))
        return np.flatnonzero(constant).tolist()

    def standardise(self, values: Tensor, columns: slice = slice(None)) -> Tensor:
        """Physical to standardised units, on the last dimension."""
        return (values - self.mean[columns]) / self.scale[columns]

    def restore(self, values: Tensor, columns: slice = slice(None)) -> Tensor:
        """Standardised to physical units, on the last dimension."""
        return values * self.scale[columns] + self.mean[columns]
