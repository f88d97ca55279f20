"""State-space network: the past window sets a hidden state, the controls move it, the output is read from it.

Nothing of the output is fed back, and every recurrence is a gated leaky average x_t = (1 - z_t) x_(t-1) + z_t v_t with
0 < z_t < 1. So a state is a weighted mean of its inputs and its start: whatever the weights, bounded controls give a
bounded output over any horizon.

Shape letters: B batch, T time, F feature (C control, then P predicted), D width, N states of a layer, K time
constants. Inside, time comes first: (T, B, ...).

Sources: the gate depends on the input only, so that the recurrence is linear in the state (minGRU, Feng et al. 2024,
arXiv:2410.01201); time constants spread over the scales at the start, a static network between recurrences (LRU,
Orvieto et al. 2023, arXiv:2303.06349); the gated static network (Shazeer 2020, arXiv:2002.05202); dynamics and static
nonlinearities in turn for system identification (dynoNet, Forgione and Piga 2021, arXiv:2006.02250); an encoder of the
past window sets the state (Beintema et al. 2021, arXiv:2012.07721).
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.model_config import Base, SsmConfig
from surrogate_modeling.networks.base import Network, Sizes
from surrogate_modeling.networks.scan import linear_scan

State = list[Tensor]
# Smallest spread of the first windows of the cases that counts, in training standard deviations.
LEAST_SPREAD = 1e-4
# Rows on which the linear base is fitted, and its penalty.
FITTED_ROWS = 150_000
RIDGE = 1e-3


class HeldDropout(nn.Module):
    """Dropout with one mask for all rows of a window (Gal and Ghahramani 2016, arXiv:1512.05287); time first."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, rows: Tensor) -> Tensor:
        """(T, B, D) -> the same shape."""
        if not self.training or not self.rate:
            return rows
        return rows * fn.dropout(torch.ones_like(rows[0]), self.rate)


class Layer(nn.Module):
    """Gated leaky averages of the features, then a gated static network, added to the features."""

    def __init__(self, config: SsmConfig) -> None:
        super().__init__()
        width, states = config.width, config.states
        self.norm = nn.LayerNorm(width)
        self.value, self.gate = nn.Linear(width, states), nn.Linear(width, states)
        self.start = nn.Linear(width, states)
        self.mix, self.out = nn.Linear(states + width, 4 * width), nn.Linear(2 * width, width)
        self.dropout = HeldDropout(config.dropout)
        tau = torch.logspace(0.0, math.log10(config.longest_time), states)
        with torch.no_grad():
            self.gate.weight.mul_(0.1)
            # sigmoid(bias) = 1 - exp(-1 / tau)
            self.gate.bias.copy_(torch.log(torch.expm1(1.0 / tau)))
            self.out.weight.mul_(0.5)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Features (T, B, D) and state (B, N) -> features and the state after the last row."""
        normed = self.norm(features)
        move = torch.sigmoid(self.gate(normed))
        states = linear_scan(1.0 - move, move * self.value(normed), state)
        gate, value = self.mix(torch.cat((states, normed), dim=-1)).chunk(2, dim=-1)
        return features + self.out(self.dropout(fn.silu(gate) * value)), states[-1]


class Filters(nn.Module):
    """Exponential averages of the controls over fixed time constants, and the decaying level of the past window."""

    rate: Tensor

    def __init__(self, sizes: Sizes, time_constants: list[float]) -> None:
        super().__init__()
        self.controls, self.fed_back = sizes.controls, sizes.fed_back
        self.register_buffer("rate", 1.0 / torch.tensor(time_constants))
        # Of the controls and their averages; the rest of the features belongs to the level.
        self.of_controls = sizes.controls * (1 + len(time_constants))
        self.features = self.of_controls + (sizes.fed_back + 1) * (1 + len(time_constants))

    def start(self, past: Tensor) -> State:
        """State after a past window (B, in_len, F)."""
        mean = past.mean(dim=1)
        level = fn.pad(mean[:, self.controls :], (0, 1), value=1.0)
        return [mean[:, : self.controls].repeat(1, len(self.rate)), level, level.repeat(1, len(self.rate))]

    def forward(self, control: Tensor, state: State) -> tuple[Tensor, State]:
        """Control (T, B, C) -> features (T, B, n) and the state after the last row."""
        average, level, decaying = state
        rows, levels = len(control), level.shape[1]
        move = (1.0 - torch.exp(-self.rate)).repeat_interleave(self.controls).expand(rows, average.shape[0], -1)
        averages = linear_scan(1.0 - move, move * control.repeat(1, 1, len(self.rate)), average)
        since = torch.arange(1, rows + 1, dtype=control.dtype, device=control.device)[:, None]
        decayed = torch.exp(-since * self.rate).repeat_interleave(levels, dim=-1)[:, None] * decaying
        features = torch.cat((control, averages, level.expand(rows, -1, -1), decayed), dim=-1)
        return features, [averages[-1], level, decayed[-1]]


class StateSpace(Network):
    """Predicts every row of a horizon from the past window and the controls alone; see the file.

    With ``base: linear`` the network corrects a ridge regression on its own filters, fitted in closed form before
    training; with ``base: level`` it predicts the departure from the mean of the past window.
    """

    first_mean: Tensor
    first_spread: Tensor
    base_weight: Tensor

    def __init__(self, config: SsmConfig, sizes: Sizes) -> None:
        super().__init__()
        self.rows_per_call = None
        self.config, self.sizes = config, sizes
        width = config.width
        self.filters = Filters(sizes, config.filters)
        self.register_buffer("first_mean", torch.zeros(sizes.features))
        self.register_buffer("first_spread", torch.ones(sizes.features))
        self.register_buffer("base_weight", torch.zeros(self.filters.features, sizes.predicted))
        self.encoder = nn.Sequential(
            nn.Linear(2 * sizes.features, width), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(width, width)
        )
        self.input = nn.Linear(self.filters.of_controls, width)
        self.context = nn.Linear(width, width)
        self.static = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, sizes.predicted)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F), control (B, H, C) -> (B, H, P), any H."""
        return self._run(self._start(past), control)[0]

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window (B, in_len, F)."""
        return torch.cat(self._start(past), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """One row: state (B, S) and its control (B, C) -> the next state (B, S) and the output (B, P)."""
        predicted, after = self._run(list(state.split(self._state_sizes, dim=-1)), control[:, None])
        return torch.cat(after, dim=-1), predicted[:, 0]

    @property
    def _state_sizes(self) -> list[int]:
        averages = self.sizes.controls * len(self.config.filters)
        levels = self.sizes.fed_back + 1
        layers = [self.config.states] * self.config.depth
        return [self.config.width, *layers, averages, levels, levels * len(self.config.filters)]

    def _start(self, past: Tensor) -> State:
        mean = past.mean(dim=1)
        # Two scales: of all rows, and of the first windows of the cases, whose spread may be tiny beside it.
        fine = (mean - self.first_mean) / self.first_spread
        context = self.encoder(torch.cat((3.0 * torch.tanh(mean / 3.0), 2.0 * torch.tanh(fine / 2.0)), dim=-1))
        starts = [cast(Layer, layer).start(context) for layer in self.layers]
        return [context, *starts, *self.filters.start(past)]

    def _run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """Outputs (B, T, P) under control (B, T, C), and the state after the last row."""
        depth = len(self.layers)
        context, layer_states = state[0], state[1 : 1 + depth]
        filtered, filter_state = self.filters(control.transpose(0, 1), state[1 + depth :])
        features = self.input(filtered[..., : self.filters.of_controls]) + self.context(context)
        features = features + self.static(features)
        after = []
        for layer, layer_state in zip(self.layers, layer_states, strict=True):
            features, last = layer(features, layer_state)
            after.append(last)
        predicted = self.head(self.norm(features)) + filtered @ self.base_weight
        return predicted.transpose(0, 1), [context, *after, *filter_state]

    @torch.no_grad()
    def calibrate(self, first: Tensor, past: Tensor, control: Tensor, future: Tensor, weight: Tensor) -> None:
        """See :meth:`Network.calibrate`: spread of the first windows, and the linear base."""
        mean = first.mean(dim=1)
        self.first_mean.copy_(mean.mean(dim=0))
        self.first_spread.copy_(mean.std(dim=0, correction=0).clamp_min(LEAST_SPREAD))
        level = self.filters.of_controls + torch.arange(self.sizes.fed_back)
        if self.config.base is Base.level:
            self.base_weight[level] = torch.eye(self.sizes.fed_back).to(self.base_weight)
        elif self.config.base is Base.linear:
            self.base_weight.copy_(self._ridge(past, control, future, weight))

    def _ridge(self, past: Tensor, control: Tensor, future: Tensor, weight: Tensor) -> Tensor:
        """Ridge regression (Hoerl and Kennard 1970) of the outputs on the filters, in closed form and float64."""
        used = weight.T > 0
        features = self.filters(control.transpose(0, 1), self.filters.start(past))[0][used][:FITTED_ROWS].double()
        outputs = future.transpose(0, 1)[used][:FITTED_ROWS].double()
        scale = features.square().mean(dim=0).sqrt().clamp_min(1e-3)
        features = features / scale
        penalty = RIDGE * torch.eye(features.shape[1], dtype=features.dtype, device=features.device)
        rows = len(features)
        solved = torch.linalg.solve(features.T @ features / rows + penalty, features.T @ outputs / rows)
        return (solved / scale[:, None]).to(self.base_weight)
