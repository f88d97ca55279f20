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

from surrogate_modeling.config import UserError
from surrogate_modeling.networks.base import Network, StateNetwork
from surrogate_modeling.networks.rollout import roll_out


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
        self.member_rows = members[0].rows_per_call

    @property
    def count(self) -> int:
        """Number of members."""
        return len(self.members)

    @property
    def networks(self) -> list[Network]:
        """The members."""
        return [cast(Network, member) for member in self.members]

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Each member's rows (B, H, P) after a past window (B, in_len, F), given the controls (B, H, C)."""
        for member in self.networks:
            yield roll_out(member, past, control)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return _mean(list(self.trajectories(past, control)))

    def encode(self, past: Tensor) -> Tensor:
        """The members' states side by side.

        Raises:
            UserError: the members predict several rows at once, from the controls of all of them.
        """
        if self.member_rows is not None and self.member_rows > 1:
            raise UserError(
                f"an ensemble of networks that predict settings.out_len={self.member_rows} rows at once cannot be "
                "exported row by row; train it with settings.out_len=1, or export a surrogate with settings.ensemble=1"
            )
        if self.member_rows is None:
            return torch.cat([cast(StateNetwork, member).encode(past) for member in self.networks], dim=-1)
        return past.reshape(past.shape[0], past.shape[1] * past.shape[2]).repeat(1, self.count)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        size = state.shape[1] // self.count
        states, rows = [], []
        for i, member in enumerate(self.networks):
            own = state[:, i * size : (i + 1) * size]
            own, row = (
                cast(StateNetwork, member).advance(own, control)
                if self.member_rows is None
                else self._slide(member, own, control)
            )
            states.append(own)
            rows.append(row)
        return torch.cat(states, dim=-1), _mean(rows)

    def _slide(self, member: Network, window: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """The next row of a window network, and its window (B, in_len * F) one row on."""
        features = window.shape[1] // self.in_len
        row = member(window.reshape(window.shape[0], self.in_len, features), control[:, None])[:, 0]
        return torch.cat((window[:, features:], control, row), dim=-1), row


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
