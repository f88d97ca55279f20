"""Nonlinear state-space network initialised with the best linear model of the training cases.

x[t+1] = A x[t] + B u[t] + f(x[t], u[t]), y[t] = C x[t] + D u[t] + g(x[t], u[t]), and the past window sets x[0]. A, B, C
and D are fitted in free run before training (:mod:`linear_fit`); f and g are networks of one hidden layer,
which sees the controls both as they are and through a hidden layer of their own, and whose last layer starts at zero.
What training adds to the linear model is a correction beside it, so that weight decay pulls back to the linear model,
and validation, which also sees the start, keeps it where a nonlinear one only overfits.

Every state has unit variance over the training cases, and what training adds to its increment is in units of the
increment's own size: slow states are learned as well as fast ones.

Shape letters: B batch, T time, F feature (C control, then P predicted), N states, H hidden.

Sources: the best linear approximation as the start of a nonlinear state space (Paduart et al. 2010, Automatica 46);
an encoder of the past window, and training on long sections (SUBNET, Beintema et al. 2021, arXiv:2012.07721, 2023,
Automatica 156); linear maps beside networks, and normalised states (Schoukens 2021, arXiv:2012.07697).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.config.models import NssConfig
from surrogate_modeling.networks.base import State, StateNetwork
from surrogate_modeling.networks.linear_start import linear_start
from surrogate_modeling.networks.recurrence import Weights, next_state, run_states
from surrogate_modeling.networks.sizes import Batch, Sizes

# Share of what a mode leaves of contraction that training may use up.
CONTRACTION_SHARE = 0.99
TINY = 1e-20


class Correction(nn.Module):
    """Trained correction of a linear map: a linear and a nonlinear part, both zero at first.

    Args:
        inputs: of the map.
        hidden: of the nonlinear part, one layer.
        outputs: of the map.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.inner, self.outer = (
            nn.Linear(inputs, outputs),
            nn.Linear(inputs, hidden),
            nn.Linear(hidden, outputs, bias=False),
        )
        for zero in (self.linear.weight, self.linear.bias, self.outer.weight):
            nn.init.zeros_(zero)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (..., inputs) -> correction (..., outputs)."""
        return self.linear(inputs) + self.outer(torch.tanh(self.inner(inputs)))


class NonlinearStateSpace(StateNetwork):
    """Nonlinear state space: past window (B, in_len, F) and controls (B, T, C) -> rows (B, T, P)."""

    closed_form = True

    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    e: Tensor
    pace: Tensor

    def __init__(self, config: NssConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        states, features = config.states, 2 * sizes.features + 1
        self.register_buffer("a", 0.9 * torch.eye(states))
        # The last column is that of a constant 1.
        self.register_buffer("b", 0.1 * torch.randn(states, sizes.controls + 1))
        self.register_buffer("c", torch.randn(sizes.predicted, states) / math.sqrt(states))
        self.register_buffer("d", 0.1 * torch.randn(sizes.predicted, sizes.controls + 1))
        self.register_buffer("e", torch.randn(states, features) / math.sqrt(features))
        # Size of a state's increment from row to row, its spread being 1.
        self.register_buffer("pace", torch.full((states,), 0.1))
        self.sees = nn.Linear(sizes.controls, config.width)
        inputs = states + sizes.controls + config.width
        self.moves = Correction(inputs, config.width, states)
        self.reads = Correction(inputs, config.width, sizes.predicted)
        self.starts = Correction(sizes.in_len * sizes.features, config.width, states)

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state: one part of N."""
        return [self.config.states]

    def start(self, past: Tensor) -> State:
        """State (B, N), as a list of one part, after a past window (B, in_len, F)."""
        features = torch.cat((past.mean(dim=1), past[:, -1] - past[:, 0]), dim=-1)
        return [_affine(features, self.e) + self.starts(past.flatten(1) / math.sqrt(self.starts.linear.in_features))]

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """State (B, N) and controls (B, T, C) -> rows (B, T, P) and the state after the last."""
        control, (first,) = control.transpose(0, 1), state
        seen = torch.cat((control, torch.tanh(self.sees(control))), dim=-1)
        (drive, hidden), weights = self._drives(control, seen), self._weights()
        if len(control) == 1:
            # In plain operations, which every export knows.
            states = torch.stack((first, next_state(first, drive[0], hidden[0], weights)))
        else:
            states = run_states(first, drive, hidden, weights)
        rows = fn.linear(states[:-1], self.c) + _affine(control, self.d)
        rows = rows + self.reads(torch.cat((states[:-1], seen), dim=-1))
        return rows.transpose(0, 1), [states[-1]]

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training; what training adds is zero then."""
        self.c[columns] = 0.0
        self.d[columns] = 0.0

    def _drives(self, control: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Contribution of the controls (T, B, C) and their hidden layer to the states and the hidden layer of f."""
        moves, states = self.moves, self.config.states
        added = fn.linear(seen, moves.linear.weight[:, states:], moves.linear.bias)
        hidden = fn.linear(seen, moves.inner.weight[:, states:], moves.inner.bias)
        return _affine(control, self.b) + self.pace * added, hidden

    def _weights(self) -> Weights:
        moves, states, pace = self.moves, self.config.states, self.pace[:, None]
        linear, inner = pace * moves.linear.weight[:, :states], moves.inner.weight[:, :states]
        outer = pace * moves.outer.weight
        if self.config.stable:
            allowed = contracting(self.a, linear, inner, outer)
            linear, outer = allowed * linear, allowed * outer
        return Weights(self.a + linear, inner, outer)

    @torch.no_grad()
    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Fit the linear model on the training windows and start the network from it."""
        start = linear_start(whole, spread, self.config.states, self.config.stable)
        for name, values in start._asdict().items():
            getattr(self, name).copy_(values)


def _affine(inputs: Tensor, weight: Tensor) -> Tensor:
    """Affine map; the last column of the weight is the constant."""
    return fn.linear(inputs, weight[:, :-1], weight[:, -1])


def contracting(a: Tensor, linear: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    """Factors (N, 1) that scale the correction of each state so that states of two runs never move apart.

    The distance of two states is the largest Euclidean norm over pairs of entries, in which A, of 2 x 2 blocks, shrinks
    pair i by its norm r_i. tanh has a slope of at most 1, so that the addition moves pair i by at most the sum over all
    pairs of the norms of its blocks; that sum must stay below 1 - r_i (Desoer and Vidyasagar 1975, chapter 2).

    Args:
        a: A (N, N).
        linear: added to it (N, N).
        inner: W1 (H, N).
        outer: W2 (N, H).
    """
    pairs = len(a) // 2
    own = a.view(pairs, 2, pairs, 2).diagonal(dim1=0, dim2=2)
    # The larger singular value of a 2 x 2 matrix, in operations that every export knows.
    squares, determinant = own.square().sum(dim=(0, 1)), own[0, 0] * own[1, 1] - own[0, 1] * own[1, 0]
    kept = ((squares + (squares.square() - 4 * determinant.square()).clamp_min(0.0).sqrt()) / 2).sqrt()
    blocks = _root(linear.view(pairs, 2, pairs, 2).square().sum(dim=(1, 3))).sum(dim=1)
    through = _root(inner.view(-1, pairs, 2).square().sum(dim=2)).sum(dim=1)
    moved = blocks + _root(outer.view(pairs, 2, -1).square().sum(dim=1)) @ through
    allowed = CONTRACTION_SHARE * (1.0 - kept) / moved
    return allowed.clamp(max=1.0)[:, None].expand(-1, 2).reshape(-1, 1)


def _root(squares: Tensor) -> Tensor:
    """Square root kept above 0, where it has no gradient and training starts."""
    return (squares + TINY).sqrt()
