"""Base classes of all networks, and the free run of a network in standardised units.

Shape letters: B batch, T time, H predicted rows, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.networks import row_graph
from surrogate_modeling.networks.sizes import Batch, Sizes

Carried = TypeVar("Carried")
State = list[Tensor]
# Rows of all cases that a state network computes at once without gradients. What it has inside takes some 6 kB a row:
# 250,000 at once took 1.5 GiB, and twice the time of blocks that stay near the cache.
ROWS_AT_ONCE = 10_000
# A GPU is busy only with more of them.
GPU_ROWS_AT_ONCE = 200_000


class Network(nn.Module, ABC):
    """Predicts the rows that follow a past window from their controls, in standardised units.

    :meth:`encode` makes a state of the past window, and :meth:`advance` moves it from row to row. Free runs, exports,
    ensembles and stacks know no more of a network than this.

    Attributes:
        rows_per_step: rows that are predicted together, from the controls of all of them; with more than 1 a network
            cannot be run row by row.
        state_is_window: whether the state is the past window.
        jumps: whether the prediction is not a continuous function of the inputs.
        closed_form: whether :meth:`initialise` fits anything.
    """

    rows_per_step = 1
    state_is_window = False
    jumps = False
    closed_form = False

    @property
    @abstractmethod
    def state_size(self) -> int:
        """S, the number of values in the state."""

    @abstractmethod
    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F)."""

    @abstractmethod
    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """Move the state over the next R rows.

        Args:
            state: (B, S).
            control: (B, R, C); R is ``rows_per_step`` or a multiple of it.

        Returns:
            The state (B, S) after these rows, and the rows (B, R, P).
        """

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past window (B, in_len, F) and controls (B, R, C) of the rows that follow -> these rows (B, R, P)."""
        return self.advance(self.encode(past), control)[1]

    def free_run(
        self,
        past: Tensor,
        control: Tensor,
        *,
        cut_gradients: bool = False,  # noqa: ARG002 for networks that read their own rows
        bound: float | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Free run (B, H, P): predict the whole trajectory from the network's own outputs; differentiable.

        Args:
            past: (B, in_len, F).
            control: (B, H, C), the rows that follow.
            cut_gradients: rows that are fed back carry no gradient.
            bound: rows are fed back as if no value were farther from 0; only where gradients are kept.
        """
        # Without gradients not through a compiled call: its graph would be as long as the horizon, and new for each.
        return self(past, control) if torch.is_grad_enabled() else self.forward(past, control)

    def free_run_spread(self, past: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor]:  # noqa: ARG002 for networks that have members
        """Free run, and the standard deviation of the members' trajectories around it; of a single network a scalar 0.

        Args:
            past: (B, in_len, F).
            control: (B, H, C), the rows that follow.
            copies: the spread within an ensemble, alone or part of a mixture, counts too.

        Returns:
            (B, H, P), and the deviation, which broadcasts to it.
        """
        rows = self.free_run(past, control)
        return rows, rows.new_zeros(())

    def advance_spread(self, state: Tensor, control: Tensor, *, copies: bool = True) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG002
        """Move the state as :meth:`advance`; also gives the deviation of the members' rows as :meth:`free_run_spread`.

        Args:
            state: (B, S).
            control: (B, R, C).
            copies: as of :meth:`free_run_spread`.
        """
        state, rows = self.advance(state, control)
        return state, rows, torch.zeros(rows.shape, dtype=rows.dtype, device=rows.device)

    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Fit, before training, the weights that have a closed form; most networks have none.

        Args:
            whole: one window of each of some training cases, in their order, from its first rows to its end; all units
                are among them.
            spread: training windows: the first of each of these cases, then others, spread over all cases.
        """

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training.

        Where the truth is zero throughout, training leaves it at that: there is no error to learn from.
        """
        for part in self.children():
            if isinstance(part, Network):
                part.silence(columns)

    @property
    def has_jumps(self) -> bool:
        """Whether this network, or one inside it, is not a continuous function of its inputs."""
        return any(isinstance(part, Network) and part.jumps for part in self.modules())

    @property
    def has_closed_form(self) -> bool:
        """Whether this network, or one inside it, has weights of a closed form."""
        return any(isinstance(part, Network) and part.closed_form for part in self.modules())

    @property
    def copies(self) -> list[Network]:
        """The networks of one kind that it is the mean of; only itself unless it is an ensemble."""
        return [self]

    @property
    def parameter_count(self) -> int:
        """Number of fitted weights."""
        return sum(parameter.numel() for parameter in self.parameters())


class WindowNetwork(Network):
    """Network that reads the past window anew at every step; its own outputs and their controls slide into it.

    Args:
        sizes: of the past window that it is given, and how many rows it predicts together.
    """

    state_is_window = True

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.in_len, self.features, self.rows_per_step = sizes.in_len, sizes.features, sizes.out_len
        self._state_size = sizes.in_len * sizes.features

    @abstractmethod
    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """One step: past window (B, in_len, F) and controls (B, out_len, C) -> rows (B, out_len, P)."""

    @property
    def state_size(self) -> int:
        """Number of values in the past window."""
        return self._state_size

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S): the past window (B, in_len, F), flattened row by row."""
        return past.reshape(past.shape[0], self.state_size)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P); the window slides on."""
        past, rows = self._slide(state.reshape(state.shape[0], self.in_len, self.features), control)
        return self.encode(past), rows

    def free_run(
        self, past: Tensor, control: Tensor, *, cut_gradients: bool = False, bound: float | None = None
    ) -> Tensor:
        """Free run (B, H, P) from a past window (B, in_len, F) and controls (B, H, C).

        Past the end the last control row is repeated, and the rows predicted there are dropped.
        """
        horizon, rows = control.shape[1], self.rows_per_step
        if horizon == rows:
            return self(past, control)
        if surplus := -horizon % rows:
            control = torch.cat((control, control[:, -1:].expand(-1, surplus, -1)), dim=1)
        if torch.is_grad_enabled():
            predicted = self._slide(past, control, cut_gradients=cut_gradients, bound=bound)[1]
        else:
            predicted = _filled(self, past, control, rows)
        return predicted[:, :horizon]

    def _slide(
        self, past: Tensor, control: Tensor, *, cut_gradients: bool = False, bound: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The last past window, and all rows (B, H, P); see :meth:`Network.free_run`."""
        predicted = []
        for block in control.split(self.rows_per_step, dim=1):
            rows = self(past, block)
            predicted.append(rows)
            fed_back = rows.detach() if cut_gradients else rows
            if bound is not None:
                fed_back = fed_back.clamp(-bound, bound)
            past = torch.cat((past[:, self.rows_per_step :], torch.cat((block, fed_back), dim=-1)), dim=1)
        return past, torch.cat(predicted, dim=1)


def _filled(network: Network, past: Tensor, control: Tensor, rows: int) -> Tensor:
    """Free run without gradients: the past window slides over one tensor of all rows, filled on the way.

    Small tensors kept from every step, between large ones that come and go, would tear the heap: 0.8 GiB of it for
    75 cases of 3,300 rows.
    """
    in_len, controls, horizon = past.shape[1], control.shape[2], control.shape[1]

    def fill(past: Tensor, control: Tensor) -> Tensor:
        every = torch.cat((past, fn.pad(control, (0, past.shape[2] - controls))), dim=1)
        for start in range(0, control.shape[1], rows):
            now = slice(in_len + start, in_len + start + rows)
            every[:, now, controls:] = network(every[:, start : start + in_len], every[:, now, :controls])
        return every

    if row_graph.pays(past, horizon // rows):
        return row_graph.run_as_graph(fill, past, control, rows)
    return fill(past, control)[:, in_len:, controls:]


def run_in_blocks(run: Callable[[Carried, Tensor], tuple[Tensor, Carried]], state: Carried, control: Tensor) -> Tensor:
    """Run all rows of a network that carries a state; without gradients in blocks of ``ROWS_AT_ONCE``.

    Args:
        run: state and controls (B, T, C) -> rows (B, T, P) and the state after the last.
        state: before the first row.
        control: (B, H, C).

    Returns:
        (B, H, P).
    """
    cases, horizon, _ = control.shape
    block = max(1, (GPU_ROWS_AT_ONCE if control.is_cuda else ROWS_AT_ONCE) // max(1, cases))
    if torch.is_grad_enabled() or horizon <= block:
        return run(state, control)[0]
    rows, state = run(state, control[:, :block])
    every = rows.new_empty(cases, horizon, rows.shape[2])
    every[:, :block] = rows
    for start in range(block, horizon, block):
        every[:, start : start + block], state = run(state, control[:, start : start + block])
    return every


class StateNetwork(Network):
    """Network with a hidden state of several parts and no output fed back, so rows are computed together."""

    @property
    @abstractmethod
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state."""

    @abstractmethod
    def start(self, past: Tensor) -> State:
        """The parts (B, S_i) of the state after a past window (B, in_len, F)."""

    @abstractmethod
    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Rows (B, T, P) under controls (B, T, C), any T, and the state after the last."""

    @property
    def state_size(self) -> int:
        """Total size of all parts of the state."""
        return sum(self.state_sizes)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past window (B, in_len, F) and controls (B, H, C), any H -> rows (B, H, P)."""
        return run_in_blocks(self.run, self.start(past), control)

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F): its parts side by side."""
        return torch.cat(self.start(past), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P)."""
        rows, after = self.run(list(state.split(self.state_sizes, dim=-1)), control)
        return torch.cat(after, dim=-1), rows
