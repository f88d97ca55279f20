"""A network and a ridge regression on filters as one network, mixed column by column (stacked regression).

The two err in different ways, so that on few or noisy cases the mix is better than either (Wolpert 1992; Breiman 1996,
Machine Learning 24). What is mixed are whole trajectories; nothing mixed is fed back.

Shape letters: B batch, H rows, F feature (C control, then P predicted), N features of the filters, S state.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from surrogate_modeling.networks.base import (
    Network,
    StateNetwork,
    first_state,
    next_state,
    roll_out,
)
from surrogate_modeling.networks.regression import FilterRegression


class StackedNetwork(StateNetwork):
    """``share`` of the network's trajectory and the rest of the regression's, for each predicted column.

    Args:
        network: any.
        regression: in the same units.
        in_len: rows of the past window.
    """

    share: Tensor

    def __init__(self, network: Network, regression: FilterRegression, in_len: int) -> None:
        super().__init__()
        self.network, self.regression, self.in_len = network, regression, in_len
        self.register_buffer("share", torch.ones(regression.weight.shape[1]))

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Each member of the network, mixed with the regression."""
        rows = self.regression(past, control)
        for member in self.network.trajectories(past, control):
            yield self._mix(member, rows)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return self._mix(roll_out(self.network, past, control), self.regression(past, control))

    def encode(self, past: Tensor) -> Tensor:
        """The network's state and the regression's side by side.

        Raises:
            UserError: the network predicts several rows at once.
        """
        return torch.cat((first_state(self.network, past), self.regression.encode(past)), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        filters = sum(self.regression.filters.state_sizes)
        own, filtered = state[:, :-filters], state[:, -filters:]
        own, row = next_state(self.network, own, control, self.in_len)
        filtered, regressed = self.regression.advance(filtered, control)
        return torch.cat((own, filtered), dim=-1), self._mix(row, regressed)

    def _mix(self, rows: Tensor, regressed: Tensor) -> Tensor:
        return regressed + self.share * (rows - regressed)
