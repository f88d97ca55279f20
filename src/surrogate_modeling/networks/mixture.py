"""Mixture of networks: the weighted mean of their trajectories, with weights for every predicted column.

Members err in different ways, so that a mean weighted by what cases left out say is better than any one (Wolpert 1992;
Breiman 1996, Machine Learning 24). What is mixed are whole trajectories; nothing mixed is fed back, so the state of the
mixture is that of all members.

Shape letters: B batch, R rows, H horizon, F feature (C control, then P predicted), M members, S state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.joint import JointNetwork, Part, mean_and_squares, root


class MixtureNetwork(JointNetwork):
    """Weighted mean of the members' trajectories, column by column.

    Args:
        members: networks for the same columns.
        predicted: P.
    """

    weight: Tensor

    def __init__(self, members: Sequence[Network], predicted: int) -> None:
        super().__init__(members)
        self.register_buffer("weight", torch.full((len(members), predicted), 1.0 / len(members)))

    def free_run_spread(self, past: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor]:
        """Mixed free run (B, H, P), and the root of the weighted mean square of the members around it.

        Args:
            past: (B, in_len, F).
            control: (B, H, C).
            copies: the spread within a member that is an ensemble counts too.
        """
        return self._moments(member.free_run_spread(past, control, copies=copies) for member in self.networks)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> mixed rows (B, R, P)."""
        return self._mix(member.free_run(past, control) for member in self.networks)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and mixed rows (B, R, P)."""
        after, rows = self.advance_members(state, control)
        return after, self._mix(rows)

    def advance_spread(self, state: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state, mixed rows (B, R, P) and their deviation."""
        after, rows = self.advance_members_spread(state, control, copies)
        return after, *self._moments(rows)

    def _moments(self, members: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        several = (Part(rows, deviation, self.weight[i]) for i, (rows, deviation) in enumerate(members))
        mean, squares, _ = mean_and_squares(several)
        return mean, root(squares)

    def _mix(self, trajectories: Iterable[Tensor]) -> Tensor:
        """Weighted sum of the members' rows, one after another: all at once would cost their number in memory."""
        total: Tensor | None = None
        for i, rows in enumerate(trajectories):
            part = self.weight[i] * rows
            total = part if total is None else total + part
        assert total is not None
        return total
