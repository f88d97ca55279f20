"""Deep ensemble: networks of one kind trained from different seeds, as one network (Lakshminarayanan et al. 2017).

Each member runs on its own outputs; the mean is taken over trajectories, never fed back. So the state of the ensemble
is that of all members.

Shape letters: B batch, F feature (C control, then P predicted), R rows, S state.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from surrogate_modeling.networks.joint import JointNetwork


class EnsembleNetwork(JointNetwork):
    """Ensemble that predicts the mean of its members' trajectories.

    Args:
        members: networks for the same columns.
    """

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Free run (B, H, P) of each member."""
        for member in self.networks:
            yield member.free_run(past, control)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> mean of the members' rows (B, R, P)."""
        return _mean(list(self.trajectories(past, control)))

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and mean of the members' rows (B, R, P)."""
        after, rows = self.advance_members(state, control)
        return after, _mean(rows)


def _mean(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
