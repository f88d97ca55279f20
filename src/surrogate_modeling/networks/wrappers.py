"""Networks around another network: which past columns it sees, and what its output is added to.

Shape letters: B batch, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network, StateNetwork, Windows


class SelectedFeedback(Network):
    """A network that sees the controls and only some predicted columns of the past window.

    Args:
        network: built for that many columns.
        columns: which of the F columns it sees.
    """

    columns: Tensor

    def __init__(self, network: Network, columns: list[int]) -> None:
        super().__init__()
        self.network, self.rows_per_call = network, network.rows_per_call
        self.register_buffer("columns", torch.tensor(columns), persistent=False)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return self.network(past[..., self.columns], control)

    def calibrate(self, whole: Windows, spread: Windows) -> None:
        """See :class:`Network`."""
        self.network.calibrate(self._selected(whole), self._selected(spread))

    def _selected(self, windows: Windows) -> Windows:
        return windows[0][..., self.columns], *windows[1:]


class SelectedStateFeedback(SelectedFeedback, StateNetwork):
    """The same of a network that carries a state."""

    network: StateNetwork

    def encode(self, past: Tensor) -> Tensor:
        """See :class:`StateNetwork`."""
        return self.network.encode(past[..., self.columns])

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        return self.network.advance(state, control)


class IncrementOutput(Network):
    """The network's output is the departure from the last past row; where nothing happens it has to learn zero.

    Args:
        network: gives increments.
        predicted: P.
    """

    def __init__(self, network: Network, predicted: int) -> None:
        super().__init__()
        self.network, self.predicted, self.rows_per_call = network, predicted, network.rows_per_call

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See :class:`Network`."""
        return past[:, -1:, -self.predicted :] + self.network(past, control)

    def calibrate(self, whole: Windows, spread: Windows) -> None:
        """See :class:`Network`."""
        self.network.calibrate(self._increments(whole), self._increments(spread))

    def _increments(self, windows: Windows) -> Windows:
        past, control, future, weight = windows
        return past, control, future - past[:, -1:, -self.predicted :], weight


class StateIncrementOutput(IncrementOutput, StateNetwork):
    """The same of a network that carries a state."""

    network: StateNetwork

    def encode(self, past: Tensor) -> Tensor:
        """The state carries the row that the increments are added to."""
        return torch.cat((past[:, -1, -self.predicted :], self.network.encode(past)), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`StateNetwork`."""
        last, inner = state[:, : self.predicted], state[:, self.predicted :]
        inner, increment = self.network.advance(inner, control)
        return torch.cat((last, inner), dim=-1), last + increment


def select_feedback(network: Network, columns: list[int]) -> Network:
    """The network, seeing only some columns of the past window."""
    wrap = SelectedStateFeedback if isinstance(network, StateNetwork) else SelectedFeedback
    return wrap(network, columns)


def increment_output(network: Network, predicted: int) -> Network:
    """The network, its output taken as the departure from the last past row."""
    wrap = StateIncrementOutput if isinstance(network, StateNetwork) else IncrementOutput
    return wrap(network, predicted)
