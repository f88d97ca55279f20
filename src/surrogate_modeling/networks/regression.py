"""Ridge regression on filtered controls as a network that carries a state.

Shape letters: B batch, T time, F feature (C control, then P predicted), N features of the filters, K time constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from surrogate_modeling.config.models import RegressionConfig
from surrogate_modeling.networks.base import State
from surrogate_modeling.networks.filter_network import FilterNetwork
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.networks.sizes import Sizes


class FilterRegression(FilterNetwork):
    """Weighted sum of filtered controls, their products, and decaying or constant values of the past window.

    Of the past window every column sees the mean of all predicted columns; with more than ``MAX_LEVEL_COLUMNS`` of
    them its own only, which has weights of its own then: ``own`` (1 + K, P), for the level and its decays.

    Args:
        sizes: of the surrogate; all predicted columns of the past window are read.
        time_constants: of the filters, in rows.
        products: how many products of two signals are among the features.
    """

    weight: Tensor
    own: Tensor | None

    def __init__(self, sizes: Sizes, time_constants: Sequence[float], products: int) -> None:
        super().__init__(sizes, time_constants, products)
        self.products = products
        self.register_buffer("weight", torch.zeros(self.filters.features, sizes.predicted))
        own = None if self.has_level_features else torch.zeros(1 + len(time_constants), sizes.predicted)
        self.register_buffer("own", own)

    @classmethod
    def build(cls, config: RegressionConfig, sizes: Sizes) -> Self:
        """Make a regression on the filters of all baselines, with weights of 0."""
        return cls(sizes, TIME_CONSTANTS, config.products)

    @property
    def parameter_count(self) -> int:
        """Number of weights that are not 0."""
        return sum(int(part.count_nonzero()) for part in (self.weight, self.own) if part is not None)

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """State parts (B, S_i) and controls (B, T, C) -> rows (B, T, P) and the state after the last."""
        features, after = self.filters(control.transpose(0, 1), state[:3])
        rows = features @ self.weight
        if self.own is not None:
            rows = rows + (features[..., self.filters.fading] @ self.own) * state[3]
        return rows.transpose(0, 1), [*after, *state[3:]]
