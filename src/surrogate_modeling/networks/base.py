"""What every network is, as the rest of the product sees it, and its free run in standardised units.

Shape letters: B batch, T time, H predicted rows, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

Carried = TypeVar("Carried")
# Rows of all cases that a state network computes at once without gradients. What it has inside takes some 6 kB a row:
# 250,000 at once took 1.5 GiB, and twice the time of blocks that stay near the cache.
ROWS_AT_ONCE = 10_000

# Past (B, in_len, F), controls (B, H, C), truth (B, H, P), and weight (B, H), 0 where a case has no such row.
Windows = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Sizes:
    """Sizes that follow from the data and the windows.

    ``fed_back`` predicted columns are in the past window, those at ``fed_back_at`` (None: the first ones).
    """

    controls: int
    predicted: int
    in_len: int
    out_len: int
    fed_back: int
    fed_back_at: tuple[int, ...] | None = None

    @property
    def features(self) -> int:
        """Columns of the past window the network reads."""
        return self.controls + self.fed_back


class Network(nn.Module, ABC):
    """Past window (B, in_len, F) and controls (B, out_len, C) -> predicted columns (B, out_len, P), standardised.

    Attributes:
        rows_per_call: how many rows one call predicts; None when it is as many as control rows are given (networks
            that carry a state and need none of their own output back).
    """

    rows_per_call: int | None

    @abstractmethod
    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See the class."""

    def trajectories(self, past: Tensor, control: Tensor) -> Iterator[Tensor]:
        """Free run (B, H, P) of each member; a network that has no members is its only one.

        Args:
            past: (B, in_len, F).
            control: (B, H, C), the rows that follow.
        """
        yield roll_out(self, past, control)

    def calibrate(self, whole: Windows, spread: Windows) -> None:
        """Take from the training cases, before training, what needs no gradient; most networks need nothing.

        Args:
            whole: one window per case, in their order, from its first rows to its end.
            spread: training windows, spread over all cases.
        """


def roll_out(
    network: Network, past: Tensor, control: Tensor, cut_gradients: bool = False, bound: float | None = None
) -> Tensor:
    """Free run in standardised units: the network feeds on its own outputs to the end.

    Every row fed back carries the controls of its own row. When the last call would reach past the end, the last
    control row is repeated and what is predicted beyond the end is dropped. Differentiable.

    Args:
        network: as :class:`Network`.
        past: (B, in_len, F).
        control: (B, H, C), the rows that follow.
        cut_gradients: rows that are fed back carry no gradient.
        bound: rows are fed back as if no value were farther from 0; only where gradients are kept.

    Returns:
        (B, H, P).
    """
    horizon, rows = control.shape[1], network.rows_per_call
    if rows is None and not torch.is_grad_enabled():
        # Not through a compiled call: its graph would be as long as the horizon, and new for each.
        return network.forward(past, control)
    if rows is None or rows == horizon:
        return network(past, control)
    surplus = -horizon % rows
    if surplus:
        control = torch.cat((control, control[:, -1:].expand(-1, surplus, -1)), dim=1)
    if not torch.is_grad_enabled():
        return _filled(network, past, control, rows)[:, :horizon]
    predicted = []
    for start in range(0, horizon, rows):
        block = control[:, start : start + rows]
        rows_out = network(past, block)
        predicted.append(rows_out)
        fed_back = rows_out.detach() if cut_gradients else rows_out
        if bound is not None:
            fed_back = fed_back.clamp(-bound, bound)
        past = torch.cat((past[:, rows:], torch.cat((block, fed_back), dim=-1)), dim=1)
    return torch.cat(predicted, dim=1)[:, :horizon]


def _filled(network: Network, past: Tensor, control: Tensor, rows: int) -> Tensor:
    """The same without gradients: the past window slides over one tensor of all rows, filled on the way.

    Small tensors kept from every step, between large ones that come and go, would tear the heap: 0.8 GiB of it for
    75 cases of 3,300 rows.
    """
    in_len, controls = past.shape[1], control.shape[2]
    every = torch.cat((past, fn.pad(control, (0, past.shape[2] - controls))), dim=1)
    for start in range(0, control.shape[1], rows):
        now = slice(in_len + start, in_len + start + rows)
        every[:, now, controls:] = network(every[:, start : start + in_len], every[:, now, :controls])
    return every[:, in_len:, controls:]


def run_in_blocks(run: Callable[[Carried, Tensor], tuple[Tensor, Carried]], state: Carried, control: Tensor) -> Tensor:
    """All rows of a network that carries a state; without gradients in blocks of ``ROWS_AT_ONCE``.

    Args:
        run: state and controls (B, T, C) -> rows (B, T, P) and the state after the last.
        state: before the first row.
        control: (B, H, C).

    Returns:
        (B, H, P).
    """
    cases, horizon, _ = control.shape
    block = max(1, ROWS_AT_ONCE // max(1, cases))
    if torch.is_grad_enabled() or horizon <= block:
        return run(state, control)[0]
    rows, state = run(state, control[:, :block])
    every = rows.new_empty(cases, horizon, rows.shape[2])
    every[:, :block] = rows
    for start in range(block, horizon, block):
        every[:, start : start + block], state = run(state, control[:, start : start + block])
    return every


class StateNetwork(Network):
    """A network that carries a state from row to row and needs none of its own output back."""

    rows_per_call: int | None = None

    @abstractmethod
    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F)."""

    @abstractmethod
    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """One row: state (B, S) and its control (B, C) -> the next state (B, S) and the row (B, P)."""


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
