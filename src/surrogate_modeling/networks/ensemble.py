"""Networks of one kind trained from different seeds, as one network (deep ensemble, Lakshminarayanan et al. 2017).

Each member rolls out on its own outputs; the mean is taken over trajectories, never fed back. So the ensemble carries
a state: the members' states, or for window networks their past windows.

Shape letters: B batch, F feature (C control, then P predicted), H rows, S state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.base import Network, StateNetwork, first_state, next_state, roll_out


class EnsembleNetwork(StateNetwork):
    """Mean of the members' trajectories.

    Args:
        members: of one kind and one size.
        in_len: rows of the past window.
    """

    def __init__(self, members: Sequence[Network], in_len: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.in_len = in_len

    @property
    def networks(self) -> list[Network]:
        """The members."""
        return [cast(Network, member) for member in self.members]

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """See :class:`Network`."""
        for member in self.networks:
            yield roll_out(member, past, control)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return _mean(list(self.trajectories(past, control)))

    def encode(self, past: Tensor) -> Tensor:
        """The members' states side by side.

        Raises:
            UserError: the members predict several rows at once.
        """
        return torch.cat([first_state(member, past) for member in self.networks], dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        size = state.shape[1] // len(self.members)
        states, rows = [], []
        for i, member in enumerate(self.networks):
            own, row = next_state(member, state[:, i * size : (i + 1) * size], control, self.in_len)
            states.append(own)
            rows.append(row)
        return torch.cat(states, dim=-1), _mean(rows)


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
