"""Base class of networks that run several others side by side, each on its own outputs.

Shape letters: B batch, F feature (C control, then P predicted), R rows, S state.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.base import Network

# Least sum of squares: a square root of 0 has no gradient.
MIN_SQUARE = 1e-30


class Part(NamedTuple):
    """Rows (B, R, P) of a member, the deviation of its own members, and its weight, which broadcast to the rows."""

    rows: Tensor
    deviation: Tensor
    weight: Tensor


def mean_and_squares(parts: Iterable[Part]) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted mean (B, R, P), weighted sum of squares around it, and sum of the weights, by running moments.

    The squares are those between the members and within each. All parts at once would cost their number in memory
    (West 1979, Commun. ACM 22).
    """
    several = iter(parts)
    mean, deviation, total = next(several)
    squares = total * deviation**2
    for rows, deviation, weight in several:
        total = total + weight
        departure = rows - mean
        # Exactly these rows where nothing before them has weight: a rounded difference would be a spread.
        mean = rows - departure * (1 - weight / total.clamp(min=MIN_SQUARE))
        squares = squares + weight * (departure * (rows - mean) + deviation**2)
    return mean, squares, total


def root(squares: Tensor) -> Tensor:
    """Square root with a gradient wherever it is taken; 0 of 0, as what does not spread is told by that."""
    return torch.where(squares <= MIN_SQUARE, torch.zeros_like(squares), squares.clamp(min=MIN_SQUARE).sqrt())


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
        moved = [member.advance(part, control) for member, part in self._parts(state)]
        return torch.cat([after for after, _ in moved], dim=-1), [rows for _, rows in moved]

    def advance_members_spread(
        self, state: Tensor, control: Tensor, copies: bool
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """As :meth:`advance_members`, with the deviation of the members of each; see :meth:`Network.advance_spread`."""
        moved = [member.advance_spread(part, control, copies=copies) for member, part in self._parts(state)]
        return torch.cat([after for after, *_ in moved], dim=-1), [(rows, deviation) for _, rows, deviation in moved]

    def _parts(self, state: Tensor) -> list[tuple[Network, Tensor]]:
        """Each member with its part of the state (B, S)."""
        sizes = [member.state_size for member in self.networks]
        return list(zip(self.networks, state.split(sizes, dim=-1), strict=True))
