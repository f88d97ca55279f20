"""A regression on filtered controls as a network that carries a state.

Shape letters: B batch, T time, F feature (C control, then P predicted), N features of the filters, S state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Sizes, State, StateNetwork
from surrogate_modeling.networks.filters import Filters


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
        self.filters = Filters(
            sizes.with_all_fed_back(), list(time_constants), torch.zeros(2, products, dtype=torch.long)
        )
        self.products = products
        self.register_buffer("weight", torch.zeros(self.filters.features, sizes.predicted))

    @property
    def state_sizes(self) -> list[int]:
        """See :class:`StateNetwork`."""
        return self.filters.state_sizes

    @property
    def parameter_count(self) -> int:
        """Weights that are not 0."""
        return int(self.weight.count_nonzero())

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """See :class:`StateNetwork`."""
        features, after = self.filters(control.transpose(0, 1), state)
        return (features @ self.weight).transpose(0, 1), after

    def start(self, past: Tensor) -> State:
        """The averages follow the controls from the first row: before that, the plant is taken to be at rest."""
        filters = self.filters
        _, (averages, _, _) = filters(past[..., : filters.controls].transpose(0, 1), filters.start(past[:, :1]))
        return [averages, *filters.start(past)[1:]]
