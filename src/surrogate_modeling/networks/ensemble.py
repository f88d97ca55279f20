"""Networks of one kind trained from different seeds, as one network (deep ensemble, Lakshminarayanan et al. 2017).

Each member runs on its own outputs; the mean is taken over trajectories, never fed back. So the state of the ensemble
is that of all members.

Shape letters: B batch, F feature (C control, then P predicted), R rows, S state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.base import Network


class EnsembleNetwork(Network):
    """Mean of the members' trajectories.

    Args:
        members: networks for the same columns.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.rows_per_step = math.lcm(*(member.rows_per_step for member in members))

    @property
    def networks(self) -> list[Network]:
        """The members."""
        return [cast(Network, member) for member in self.members]

    @property
    def state_size(self) -> int:
        """Of all members."""
        return sum(member.state_size for member in self.networks)

    @property
    def parameter_count(self) -> int:
        """Of all members."""
        return sum(member.parameter_count for member in self.networks)

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """See :class:`Network`."""
        for member in self.networks:
            yield member.free_run(past, control)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return _mean(list(self.trajectories(past, control)))

    def encode(self, past: Tensor) -> Tensor:
        """The members' states side by side."""
        return torch.cat([member.encode(past) for member in self.networks], dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Network`."""
        parts = state.split([member.state_size for member in self.networks], dim=-1)
        moved = [member.advance(part, control) for member, part in zip(self.networks, parts, strict=True)]
        return torch.cat([after for after, _ in moved], dim=-1), _mean([rows for _, rows in moved])


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
