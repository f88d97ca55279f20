"""Sizes of a network, and windows of cases as a network takes them.

Shape letters: B batch, H predicted rows, F feature (C control, then P predicted).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Windows of several cases in standardised units.

    Attributes:
        past: (B, in_len, F).
        control: (B, H, C), the rows that follow.
        truth: (B, H, P).
        weight: (B, H), 0 where a case has no such row.
    """

    past: Tensor
    control: Tensor
    truth: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network that follow from the data and the windows.

    ``fed_back`` predicted columns are in the past window, those at ``fed_back_at`` (None: the first ones).
    """

    controls: int
    predicted: int
    in_len: int
    out_len: int
    fed_back: int
    fed_back_at: tuple[int, ...] | None = None

    @property
    def features(self) -> int:
        """Columns of the past window the network reads."""
        return self.controls + self.fed_back

    def with_all_fed_back(self) -> Sizes:
        """The same sizes with every predicted column in the past window."""
        return replace(self, fed_back=self.predicted, fed_back_at=None)
