"""Standardisation and range of the columns, fitted on the training rows and saved with the network.

Shape letters: T rows of a case, F columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

# A spread this small against the largest value held is float32 rounding, not a signal. What float64 can tell apart is
# held less an offset, so that its spread is not small against what is held.
CONSTANT_SPREAD = 1e-6


class Standardizer(nn.Module):
    """Standardise columns: z = (x - offset - mean) / scale per column (F,), fitted on the training rows.

    A column that is constant there has z = 0 whatever it does later: the network never saw it move, so its weights on
    it mean nothing.

    Attributes:
        mean: of the column less its offset.
        scale: standard deviation (population form); 1 for a constant column.
        divisor: the scale; infinite for a constant column.
        low: smallest training value in the column's unit, float64; beyond it a network extrapolates. NaN until fitted.
        high: largest.

    Args:
        columns: F.
        offsets: (F,) taken off in double, as in the cases (see ``Channels.offsets``); None for none.
    """

    mean: Tensor
    scale: Tensor
    divisor: Tensor
    low: Tensor
    high: Tensor
    offset: Tensor

    def __init__(self, columns: int, offsets: Sequence[float] | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))
        self.register_buffer("divisor", torch.ones(columns))
        self.register_buffer("low", torch.full((columns,), torch.nan, dtype=torch.float64))
        self.register_buffer("high", torch.full((columns,), torch.nan, dtype=torch.float64))
        self.offsets = tuple(offsets or [0.0] * columns)
        self.register_buffer("offset", torch.tensor(self.offsets, dtype=torch.float64), persistent=False)

    @property
    def level(self) -> Tensor:
        """Training mean (F,) in the columns' units, float64."""
        return self.offset + self.mean

    @property
    def number(self) -> torch.dtype:
        """Type that keeps physical values without loss: float32, or float64 where offsets are taken off."""
        return torch.float64 if any(self.offsets) else torch.float32

    @property
    def constant(self) -> Tensor:
        """Whether the column never moved in training (F,)."""
        return self.divisor.isinf()

    def fit(self, cases: Iterable[np.ndarray]) -> list[int]:
        """Fit mean, standard deviation and range on training rows, each case (T, F) less the offsets.

        Returns:
            Columns that are constant over the training rows.
        """
        arrays = list(cases)
        rows = sum(len(array) for array in arrays)
        mean = sum(array.sum(axis=0, dtype=np.float64) for array in arrays) / rows
        # Two passes: the sum of squares alone would lose a small spread on a large level (pressure in Pa).
        variance = sum(((array - mean) ** 2).sum(axis=0) for array in arrays) / rows
        low = np.min([array.min(axis=0) for array in arrays], axis=0).astype(np.float64)
        high = np.max([array.max(axis=0) for array in arrays], axis=0).astype(np.float64)
        spread = np.sqrt(variance)
        constant = spread <= CONSTANT_SPREAD * np.maximum(np.abs(low), np.abs(high))
        self.low.copy_(self.offset.cpu() + torch.as_tensor(low))
        self.high.copy_(self.offset.cpu() + torch.as_tensor(high))
        self.mean.copy_(torch.as_tensor(mean, dtype=torch.float32))
        self.scale.copy_(torch.as_tensor(np.where(constant, 1.0, spread), dtype=torch.float32))
        self.divisor.copy_(torch.as_tensor(np.where(constant, np.inf, self.scale.cpu().numpy()), dtype=torch.float32))
        return np.flatnonzero(constant).tolist()

    def measure_by(self, cases: Iterable[np.ndarray]) -> None:
        """Take mean and standard deviation of columns that move in some of the training rows from these.

        Args:
            cases: each (T, F) less the offsets.
        """
        other = Standardizer(len(self.mean), self.offsets)
        other.fit(cases)
        moves = ~other.constant
        for own, new in ((self.mean, other.mean), (self.scale, other.scale), (self.divisor, other.divisor)):
            own[moves] = new[moves].to(own.device)

    def extend_range(self, cases: Iterable[np.ndarray]) -> None:
        """Include more training rows in the range, each case (T, F) less the offsets; mean and scale stay."""
        for array in cases:
            low, high = (torch.as_tensor(edge.astype(np.float64)) for edge in (array.min(axis=0), array.max(axis=0)))
            self.low.copy_(torch.minimum(self.low.cpu(), self.offset.cpu() + low))
            self.high.copy_(torch.maximum(self.high.cpu(), self.offset.cpu() + high))

    def standardise(self, values: Tensor, columns: slice = slice(None)) -> Tensor:
        """Convert physical to standardised units, on the last dimension."""
        if any(self.offsets):
            values = (values - self.offset[columns]).to(self.mean.dtype)
        return (values - self.mean[columns]) / self.divisor[columns]

    def restore(self, values: Tensor, columns: slice = slice(None)) -> Tensor:
        """Convert standardised to physical units, on the last dimension; float64 where offsets were taken off."""
        held = values * self.scale[columns] + self.mean[columns]
        return held + self.offset[columns] if any(self.offsets[columns]) else held

    def standardise_held(self, rows: Tensor) -> Tensor:
        """Convert rows (..., F) of cases, less the offsets, to standardised units, in their own type and place."""
        return (rows - self.mean.to(rows)) / self.divisor.to(rows)

    def restore_held(self, rows: Tensor, columns: slice = slice(None)) -> Tensor:
        """Convert standardised rows to what cases hold, less the offsets, in their own type and place."""
        return rows * self.scale[columns].to(rows) + self.mean[columns].to(rows)
