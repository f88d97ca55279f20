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

from surrogate_modeling.common.errors import UserError

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


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def first_state(network: Network, past: Tensor) -> Tensor:
    """State (B, S) after a past window (B, in_len, F).

    Raises:
        UserError: the network predicts several rows at once, from the controls of all of them.
    """
    if isinstance(network, StateNetwork):
        return network.encode(past)
    if network.rows_per_call != 1:
        raise UserError(
            f"networks that predict settings.out_len={network.rows_per_call} rows at once cannot be exported row by "
            "row in an ensemble or a stack; train with settings.out_len=1, or with settings.ensemble=1 and "
            "settings.stack=False"
        )
    return past.reshape(past.shape[0], past.shape[1] * past.shape[2])


def next_state(network: Network, state: Tensor, control: Tensor, in_len: int) -> tuple[Tensor, Tensor]:
    """State (B, S) and control row (B, C) -> the next state and the row (B, P)."""
    if isinstance(network, StateNetwork):
        return network.advance(state, control)
    features = state.shape[1] // in_len
    row = network(state.reshape(state.shape[0], in_len, features), control[:, None])[:, 0]
    return torch.cat((state[:, features:], control, row), dim=-1), row
