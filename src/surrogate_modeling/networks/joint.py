"""Base class of networks that run several others side by side, each on its own outputs.

Shape letters: B batch, F feature (C control, then P predicted), R rows, S state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.base import Network


class JointNetwork(Network):
    """Several networks for the same columns; the state is that of all of them, side by side.

    Args:
        members: the networks.
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

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S): the members' states side by side."""
        return torch.cat([member.encode(past) for member in self.networks], dim=-1)

    def advance_members(self, state: Tensor, control: Tensor) -> tuple[Tensor, list[Tensor]]:
        """State (B, S) and controls (B, R, C) -> next state and each member's rows (B, R, P)."""
        parts = state.split([member.state_size for member in self.networks], dim=-1)
        moved = [member.advance(part, control) for member, part in zip(self.networks, parts, strict=True)]
        return torch.cat([after for after, _ in moved], dim=-1), [rows for _, rows in moved]
