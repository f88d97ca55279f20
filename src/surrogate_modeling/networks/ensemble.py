"""Deep ensemble: networks of one kind trained from different seeds, as one network (Lakshminarayanan et al. 2017).

Each member runs on its own outputs; the mean is taken over trajectories, never fed back. So the state of the ensemble
is that of all members.

Shape letters: B batch, F feature (C control, then P predicted), R rows, S state.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.joint import JointNetwork, Part, mean_and_squares, root


class EnsembleNetwork(JointNetwork):
    """Ensemble that predicts the mean of its members' trajectories.

    Args:
        members: networks for the same columns.
    """

    @property
    def copies(self) -> list[Network]:
        """The members."""
        return self.networks

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> mean of the members' rows (B, R, P)."""
        return _mean([member.free_run(past, control) for member in self.networks])

    def free_run_spread(self, past: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor]:
        """Past (B, in_len, F) and control (B, H, C) -> mean and deviation of the members' rows (B, H, P).

        Without ``copies`` the members are as one network: the deviation is 0.
        """
        if not copies:
            return super().free_run_spread(past, control)
        return _moments(member.free_run(past, control) for member in self.networks)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and mean of the members' rows (B, R, P)."""
        after, rows = self.advance_members(state, control)
        return after, _mean(rows)

    def advance_spread(self, state: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state, mean and deviation of the members' rows (B, R, P)."""
        if not copies:
            return super().advance_spread(state, control)
        after, rows = self.advance_members(state, control)
        return after, *_moments(rows)


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)


def _moments(members: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and sample standard deviation of the members' rows."""
    several = (Part(rows, rows.new_zeros(()), rows.new_ones(())) for rows in members)
    mean, squares, total = mean_and_squares(several)
    return mean, root(squares / (total - 1).clamp(min=1))
