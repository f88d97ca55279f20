"""Stacked regression: a network and a ridge regression on filters as one network, mixed column by column.

The two err in different ways, so that on few or noisy cases the mix is better than either (Wolpert 1992; Breiman 1996,
Machine Learning 24). What is mixed are whole trajectories; nothing mixed is fed back.

Shape letters: B batch, R rows, F feature (C control, then P predicted), N features of the filters, S state.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.regression import FilterRegression


class StackedNetwork(Network):
    """Mix of a network's trajectory (``share``) and a regression's (the rest), for each predicted column.

    Args:
        network: any.
        regression: in the same units.
    """

    share: Tensor

    def __init__(self, network: Network, regression: FilterRegression) -> None:
        super().__init__()
        self.network, self.regression, self.rows_per_step = network, regression, network.rows_per_step
        self.register_buffer("share", torch.ones(regression.weight.shape[1]))

    @property
    def state_size(self) -> int:
        """Total size of both states."""
        return self.network.state_size + self.regression.state_size

    @property
    def parameter_count(self) -> int:
        """Number of fitted weights of both."""
        return self.network.parameter_count + self.regression.parameter_count

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Free run (B, H, P) of each member of the network, mixed with the regression."""
        rows = self.regression(past, control)
        for member in self.network.trajectories(past, control):
            yield self._mix(member, rows)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> mixed rows (B, R, P)."""
        return self._mix(self.network.free_run(past, control), self.regression(past, control))

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S): the network's state and the regression's side by side."""
        return torch.cat((self.network.encode(past), self.regression.encode(past)), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and mixed rows (B, R, P)."""
        own, filtered = state.split([self.network.state_size, self.regression.state_size], dim=-1)
        own, rows = self.network.advance(own, control)
        filtered, regressed = self.regression.advance(filtered, control)
        return torch.cat((own, filtered), dim=-1), self._mix(rows, regressed)

    def _mix(self, rows: Tensor, regressed: Tensor) -> Tensor:
        return regressed + self.share * (rows - regressed)
