"""A regression on filtered controls as a network that carries a state.

Shape letters: B batch, T time, F feature (C control, then P predicted), N features of the filters, S state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Sizes, StateNetwork, run_in_blocks
from surrogate_modeling.networks.filters import Filters, State


class FilterRegression(StateNetwork):
    """A weighted sum of filtered controls, their products, and what of the past window decays or stays.

    Args:
        sizes: of the surrogate; all predicted columns of the past window are read.
        time_constants: of the filters, in rows.
        products: how many products of two signals are among the features.
    """

    weight: Tensor

    def __init__(self, sizes: Sizes, time_constants: Sequence[float], products: int) -> None:
        super().__init__()
        whole = Sizes(sizes.controls, sizes.predicted, sizes.in_len, sizes.out_len, sizes.predicted)
        self.filters = Filters(whole, list(time_constants), torch.zeros(2, products, dtype=torch.long))
        self.products = products
        self.register_buffer("weight", torch.zeros(self.filters.features, sizes.predicted))

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return run_in_blocks(self._run, self._start(past), control)

    def encode(self, past: Tensor) -> Tensor:
        """See :class:`StateNetwork`."""
        return torch.cat(self._start(past), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        rows, after = self._run(list(state.split(self.filters.state_sizes, dim=-1)), control[:, None])
        return torch.cat(after, dim=-1), rows[:, 0]

    def _run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Rows (B, T, P) under control (B, T, C), and the state after the last."""
        features, after = self.filters(control.transpose(0, 1), state)
        return (features @ self.weight).transpose(0, 1), after

    def _start(self, past: Tensor) -> State:
        """The averages follow the controls from the first row: before that, the plant is taken to be at rest."""
        filters = self.filters
        _, (averages, _, _) = filters(past[..., : filters.controls].transpose(0, 1), filters.start(past[:, :1]))
        return [averages, *filters.start(past)[1:]]
