"""What every network is, as the rest of the product sees it.

Shape letters: B batch, T time, F feature (C control, then P predicted).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Sizes:
    """Sizes that follow from the data and the windows."""

    controls: int
    predicted: int
    in_len: int
    out_len: int

    @property
    def features(self) -> int:
        return self.controls + self.predicted


class Network(nn.Module, ABC):
    """Past window (B, in_len, F) and controls (B, out_len, C) -> predicted columns (B, out_len, P), standardised.

    Attributes:
        rows_per_call: how many rows one call predicts; None when it is as many as control rows are given (networks
            that carry a state and need none of their own output back).
    """

    rows_per_call: int | None

    @abstractmethod
    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See the class."""
