"""Base class of networks whose state is that of fixed filters: what is fitted only reads the filters.

Shape letters: B batch, T time, F feature (C control, then P predicted), N features of the filters, K time constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from surrogate_modeling.networks.base import State, StateNetwork
from surrogate_modeling.networks.filters import Filters
from surrogate_modeling.networks.sizes import Sizes

# With more predicted columns each sees its own level only: all levels in all columns are P^2 weights, and P^3 work.
MAX_LEVEL_COLUMNS = 100


class FilterNetwork(StateNetwork):
    """Network on filtered controls and on decaying or constant values of the past window.

    The level, that is the mean of the past window, of all predicted columns is among the features; with more than
    ``MAX_LEVEL_COLUMNS`` of them of none, and is a part of the state of its own.

    Args:
        sizes: of the surrogate; all predicted columns of the past window are read.
        time_constants: of the filters, in rows.
        products: how many products of two signals are among the features.
    """

    def __init__(self, sizes: Sizes, time_constants: Sequence[float], products: int = 0) -> None:
        super().__init__()
        self.has_level_features = sizes.predicted <= MAX_LEVEL_COLUMNS
        whole = sizes.with_all_fed_back()
        multiplied = torch.zeros(2, products, dtype=torch.long)
        seen = whole if self.has_level_features else replace(whole, fed_back=0)
        self.filters = Filters(seen, list(time_constants), multiplied)
        self.sizes = sizes

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state."""
        return [*self.filters.state_sizes, *([] if self.has_level_features else [self.sizes.predicted])]

    def start(self, past: Tensor) -> State:
        """State after a past window (B, in_len, F); before its first row the plant is taken to be at rest."""
        filters = self.filters
        control, outputs = past[..., : filters.controls], past[..., filters.controls :]
        seen = past if self.has_level_features else control
        _, (averages, _, _) = filters.signals(control.transpose(0, 1), filters.start(seen[:, :1]))
        own = [] if self.has_level_features else [outputs.mean(dim=1)]
        return [averages, *filters.start(seen)[1:], *own]

    def level(self, state: State) -> Tensor:
        """Level (B, P) of the predicted columns, of the parts of a state."""
        return state[1][:, : self.sizes.predicted] if self.has_level_features else state[3]
