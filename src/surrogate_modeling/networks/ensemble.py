"""Deep ensemble: networks of one kind trained from different seeds, as one network (Lakshminarayanan et al. 2017).

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
    """Ensemble that predicts the mean of its members' trajectories.

    Args:
        members: networks for the same columns.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.rows_per_step = math.lcm(*(member.rows_per_step for member in members))

    @property
    def networks(self) -> list[Network]:
        """The member networks."""
        return [cast(Network, member) for member in self.members]

    @property
    def state_size(self) -> int:
        """Total size of the members' states."""
        return sum(member.state_size for member in self.networks)

    @property
    def parameter_count(self) -> int:
        """Number of fitted weights of all members."""
        return sum(member.parameter_count for member in self.networks)

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Free run (B, H, P) of each member."""
        for member in self.networks:
            yield member.free_run(past, control)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> mean of the members' rows (B, R, P)."""
        return _mean(list(self.trajectories(past, control)))

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S): the members' states side by side."""
        return torch.cat([member.encode(past) for member in self.networks], dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and mean of the members' rows (B, R, P)."""
        parts = state.split([member.state_size for member in self.networks], dim=-1)
        moved = [member.advance(part, control) for member, part in zip(self.networks, parts, strict=True)]
        return torch.cat([after for after, _ in moved], dim=-1), _mean([rows for _, rows in moved])


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
