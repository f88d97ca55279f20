"""A network and a ridge regression on filters as one network, mixed column by column (stacked regression).

The two err in different ways, so that on few or noisy cases the mix is better than either (Wolpert 1992; Breiman 1996,
Machine Learning 24). What is mixed are whole trajectories; nothing mixed is fed back.

Shape letters: B batch, H rows, F feature (C control, then P predicted), N features of the filters, S state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network, Sizes, StateNetwork, roll_out, run_in_blocks
from surrogate_modeling.networks.carrying import first_state, next_state
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
