"""Wrappers that change which past columns a network sees, and what its output is added to.

Shape letters: B batch, R rows, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network, WindowNetwork
from surrogate_modeling.networks.sizes import Batch, Sizes


class Wrapper(WindowNetwork):
    """Base class of a network around another; a window network around a window network, else it passes the state on.

    A window network reads rows of the wrapper again, not its own: so the wrapper keeps the past window.

    Args:
        network: the inner one.
        sizes: of the surrogate.
        carried: numbers that the wrapper adds to a state that is not the past window.
    """

    def __init__(self, network: Network, sizes: Sizes, carried: int = 0) -> None:
        super().__init__(sizes.with_all_fed_back())
        self.network, self.rows_per_step, self.state_is_window = network, network.rows_per_step, network.state_is_window
        if not self.state_is_window:
            self._state_size = network.state_size + carried

    @abstractmethod
    def encode_inner(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F), where the inner network's state is not the window."""

    @abstractmethod
    def advance_inner(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State and controls -> next state and rows, where the inner network's state is not the window."""

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F)."""
        return super().encode(past) if self.state_is_window else self.encode_inner(past)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P)."""
        return super().advance(state, control) if self.state_is_window else self.advance_inner(state, control)

    def free_run(
        self, past: Tensor, control: Tensor, *, cut_gradients: bool = False, bound: float | None = None
    ) -> Tensor:
        """Free run (B, H, P) from a past window (B, in_len, F) and controls (B, H, C)."""
        kind = WindowNetwork if self.state_is_window else Network
        return kind.free_run(self, past, control, cut_gradients=cut_gradients, bound=bound)

    @property
    def parameter_count(self) -> int:
        """Number of fitted weights of the inner network."""
        return self.network.parameter_count


class SelectedFeedback(Wrapper):
    """A network that sees the controls and only some predicted columns of the past window.

    Args:
        network: built for that many columns.
        sizes: of the surrogate; its ``fed_back_at`` are the predicted columns that the network sees.
    """

    columns: Tensor

    def __init__(self, network: Network, sizes: Sizes) -> None:
        super().__init__(network, sizes)
        seen = range(sizes.predicted) if sizes.fed_back_at is None else sizes.fed_back_at
        columns = [*range(sizes.controls), *(sizes.controls + i for i in seen)]
        self.register_buffer("columns", torch.tensor(columns), persistent=False)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> rows (B, R, P); the inner network sees fewer columns."""
        return self.network(past[..., self.columns], control)

    def encode_inner(self, past: Tensor) -> Tensor:
        """State (B, S) after the columns of the past window that the inner network sees."""
        return self.network.encode(past[..., self.columns])

    def advance_inner(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> the inner network's next state and rows (B, R, P)."""
        return self.network.advance(state, control)

    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Initialise the inner network on windows with only the columns it sees."""
        self.network.initialise(*(batch._replace(past=batch.past[..., self.columns]) for batch in (whole, spread)))


class IncrementOutput(Wrapper):
    """Network whose output is added to the last past row, so that it learns zero where nothing happens.

    Args:
        network: gives increments.
        sizes: of the surrogate.
    """

    def __init__(self, network: Network, sizes: Sizes) -> None:
        super().__init__(network, sizes, carried=sizes.predicted)
        self.predicted = sizes.predicted

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, R, C) -> rows (B, R, P): the last past row plus increments."""
        return past[:, -1:, -self.predicted :] + self.network(past, control)

    def encode_inner(self, past: Tensor) -> Tensor:
        """State (B, S): the inner network's state and the row that increments are added to."""
        return torch.cat((past[:, -1, -self.predicted :], self.network.encode(past)), dim=-1)

    def advance_inner(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P)."""
        last, inner = state[:, : self.predicted], state[:, self.predicted :]
        inner, increments = self.network.advance(inner, control)
        return torch.cat((last, inner), dim=-1), last[:, None] + increments

    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Initialise the inner network on increments instead of rows."""
        self.network.initialise(*map(self._increments, (whole, spread)))

    def _increments(self, batch: Batch) -> Batch:
        return batch._replace(truth=batch.truth - batch.past[:, -1:, -self.predicted :])
