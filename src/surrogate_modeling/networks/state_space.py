"""State-space network: the past window sets a hidden state, the controls move it, the output is read from it.

Nothing of the output is fed back, and every recurrence is a gated leaky average x_t = (1 - z_t) x_(t-1) + z_t v_t with
0 < z_t < 1; with ``core: gru`` the gate and the (bounded) value see the state as well. So a state is a weighted mean of
its inputs and its start: whatever the weights, bounded controls give a bounded output over any horizon. Where the plant
oscillates, some of the averages turn (:mod:`oscillations`); where it integrates, integrals of the controls are among
the filters, and only these may grow (:mod:`mode_choice`).

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

from surrogate_modeling.config.models import Base, Core, SsmConfig
from surrogate_modeling.networks.base import State, StateNetwork
from surrogate_modeling.networks.closed_form import fit_base, fitted_rows
from surrogate_modeling.networks.filters import Filters, spread_products
from surrogate_modeling.networks.layers import gradients_allowed, silence
from surrogate_modeling.networks.oscillations import OscillatingAverages
from surrogate_modeling.networks.scan import leaky_scan
from surrogate_modeling.networks.sizes import Batch, Sizes

# Smallest spread of the first windows of the cases that counts, in training standard deviations.
MIN_SPREAD = 1e-4


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


class LeakyAverages(nn.Module):
    """Leaky averages x_t = (1 - z_t) x_(t-1) + z_t v_t whose gate z and value v see the features of row t alone."""

    def __init__(self, config: SsmConfig) -> None:
        super().__init__()
        width, states = config.width, config.states
        self.value, self.gate = nn.Linear(width, states), nn.Linear(width, states)
        tau = torch.logspace(0.0, math.log10(config.longest_time), states)
        with torch.no_grad():
            self.gate.weight.mul_(0.1)
            # sigmoid(bias) = 1 - exp(-1 / tau)
            self.gate.bias.copy_(torch.log(torch.expm1(1.0 / tau)))

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Features (T, B, D) and state (B, N) -> states (T, B, N)."""
        gate, value = self.gate(features), self.value(features)
        if gate.dtype is torch.bfloat16:
            # Where 1 - z of a slow state is 1 or 0.996: it would forget, or never move.
            gate, value, state = gate.float(), value.float(), state.float()
        return leaky_scan(torch.sigmoid(gate), value, state)


class GatedRecurrentUnits(nn.Module):
    """GRU (Cho et al. 2014, arXiv:1406.1078): gates and value see the state too, so rows are computed one by one."""

    def __init__(self, config: SsmConfig) -> None:
        super().__init__()
        self.gru = nn.GRU(config.width, config.states)

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Features (T, B, D) and state (B, N) -> states (T, B, N)."""
        if len(features) > 1:
            with gradients_allowed(self.gru, features):
                return cast(Tensor, self.gru(features, state[None])[0])
        # The same for one row in plain operations, which every export knows.
        weights = dict(self.gru.named_parameters())
        given = fn.linear(features[0], weights["weight_ih_l0"], weights["bias_ih_l0"]).chunk(3, dim=-1)
        held = fn.linear(state, weights["weight_hh_l0"], weights["bias_hh_l0"]).chunk(3, dim=-1)
        reset, keep = torch.sigmoid(given[0] + held[0]), torch.sigmoid(given[1] + held[1])
        value = torch.tanh(given[2] + reset * held[2])
        return (value + keep * (state - value))[None]


CORES: dict[Core, type[nn.Module]] = {Core.diagonal: LeakyAverages, Core.gru: GatedRecurrentUnits}


class Layer(nn.Module):
    """A recurrence over the features, then a gated static network, added to the features."""

    def __init__(self, config: SsmConfig) -> None:
        super().__init__()
        width, states = config.width, config.states
        self.norm = nn.LayerNorm(width)
        self.core = OscillatingAverages(config) if config.oscillations else CORES[config.core](config)
        self.start = nn.Linear(width, states)
        self.mix, self.out = nn.Linear(states + width, 4 * width), nn.Linear(2 * width, width)
        self.dropout = HeldDropout(config.dropout)
        with torch.no_grad():
            self.out.weight.mul_(0.5)

    def start_state(self, context: Tensor) -> Tensor:
        """State (B, N) before the first row, from what the past window says (B, D)."""
        start = cast(Tensor, self.start(context))
        return start * self.core.scale if isinstance(self.core, OscillatingAverages) else start

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Features (T, B, D) and state (B, N) -> features and the state after the last row."""
        normed = self.norm(features)
        states = self.core(normed, state)
        gate, value = self.mix(torch.cat((states, normed), dim=-1)).chunk(2, dim=-1)
        return features + self.out(self.dropout(fn.silu(gate) * value)), states[-1]


class PastEncoder(nn.Module):
    """Encoder of the mean of the past window on two scales: that of all rows, and that of the cases' first windows.

    The second may be tiny beside the first.
    """

    first_mean: Tensor
    first_spread: Tensor
    change_spread: Tensor | None

    def __init__(self, config: SsmConfig, features: int) -> None:
        super().__init__()
        width, sees_change = config.width, bool(config.oscillations)
        self.register_buffer("change_spread", torch.ones(features) if sees_change else None)
        self.register_buffer("first_mean", torch.zeros(features))
        self.register_buffer("first_spread", torch.ones(features))
        self.layers = nn.Sequential(
            nn.Linear((2 + sees_change) * features, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
        )

    def forward(self, past: Tensor) -> Tensor:
        """Past window (B, in_len, F) -> features (B, D)."""
        mean = past.mean(dim=1)
        fine = (mean - self.first_mean) / self.first_spread
        parts = [3.0 * torch.tanh(mean / 3.0), 2.0 * torch.tanh(fine / 2.0)]
        if self.change_spread is not None:
            parts.append(2.0 * torch.tanh((past[:, -1] - past[:, 0]) / self.change_spread / 2.0))
        return cast(Tensor, self.layers(torch.cat(parts, -1)))

    def initialise(self, first: Tensor, anywhere: Tensor) -> None:
        """Fit the scales on the first windows of the cases (K, in_len, F), and on windows anywhere (B, in_len, F)."""
        mean = first.mean(dim=1)
        if self.change_spread is not None:
            change = anywhere[:, -1] - anywhere[:, 0]
            self.change_spread.copy_(_counted(change.square().mean(dim=0).sqrt()))
        self.first_mean.copy_(mean.mean(dim=0))
        self.first_spread.copy_(_counted(mean.std(dim=0, correction=0)))


def _counted(spread: Tensor) -> Tensor:
    """A spread that values are divided by: of what never moved, such as a latent before training, nothing is known."""
    return torch.where(spread > 0, spread.clamp_min(MIN_SPREAD), 1.0)


class StateSpace(StateNetwork):
    """State-space network: predicts every row of a horizon from the past window and the controls alone.

    What the output is added to: with ``base: level`` the mean of the past window, so that the network predicts the
    departure from it; with ``auto`` the same for those columns whose departure is easier to predict; with ``linear``
    or ``quadratic`` a ridge regression on the filters, fitted in closed form before training. With ``encoder: false``
    the base is all that sees the past window: where cases come from a few units (cells, vehicles), an encoder learns to
    recognise these, and errs on a unit it has not seen.
    """

    closed_form = True

    base_weight: Tensor

    def __init__(self, config: SsmConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        width = config.width
        quadratic = config.base is Base.quadratic
        products = spread_products(sizes.controls, len(config.filters)) if quadratic else None
        self.filters = Filters(sizes, config.filters, products, config.integral_time)
        self.register_buffer("base_weight", torch.zeros(self.filters.features, sizes.predicted))
        self.encoder = PastEncoder(config, sizes.features) if config.encoder else None
        self.input = nn.Linear(self.filters.of_controls, width)
        self.context = nn.Linear(width, width)
        self.static = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, sizes.predicted)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    @property
    def _weighs_levels_only(self) -> bool:
        """Whether the base uses features up to the levels only and leaves out the rest."""
        return self.config.base not in (Base.linear, Base.quadratic)

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state."""
        return [self.config.width, *[self.config.states] * self.config.depth, *self.filters.state_sizes]

    def start(self, past: Tensor) -> State:
        """State parts (B, S_i) after a past window (B, in_len, F)."""
        context = past.new_zeros(past.shape[0], self.config.width) if self.encoder is None else self.encoder(past)
        starts = [cast(Layer, layer).start_state(context) for layer in self.layers]
        return [context, *starts, *self.filters.start(past)]

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """State parts (B, S_i) and controls (B, T, C) -> rows (B, T, P) and the state after the last."""
        depth = len(self.layers)
        context, layer_states = state[0], state[1 : 1 + depth]
        signals, base, filter_state = self._filtered(control.transpose(0, 1), state[1 + depth :])
        features = self.input(signals) + self.context(context)
        features = features + self.static(features)
        after = []
        for layer, layer_state in zip(self.layers, layer_states, strict=True):
            features, last = layer(features, layer_state)
            after.append(last)
        predicted = self.head(self.norm(features)) + base
        return predicted.transpose(0, 1), [context, *after, *filter_state]

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training."""
        silence(self.head, columns)

    def _filtered(self, control: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Controls and averages (T, B, of_controls), the base of the output, and the state after the last row."""
        filters = self.filters
        if not self._weighs_levels_only:
            features, after = filters(control, state)
            return features[..., : filters.of_controls], features @ self.base_weight, after
        signals, after = filters.signals(control, state)
        level = state[1]
        return signals, level @ self.base_weight[filters.of_controls : filters.of_controls + level.shape[1]], after

    @torch.no_grad()
    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Fit the scale of the past encoder and the base of the output on the training windows."""
        if self.encoder is not None:
            self.encoder.initialise(whole.past, spread.past)
        if self.config.base is Base.none:
            return
        # A free run starts at the first rows: whether a level helps is judged on that.
        past, control, future, weight = whole if self.config.base is Base.auto else spread
        rows = fitted_rows(weight.T > 0)
        given = control.transpose(0, 1), self.filters.start(past)
        features = self.filters.up_to_levels(*given) if self._weighs_levels_only else self.filters(*given)[0]
        features = features.flatten(0, 1)[rows]
        outputs = future.transpose(0, 1).flatten(0, 1)[rows]
        self.base_weight.copy_(fit_base(self.config.base, self.filters, features, outputs, rows % len(past)))
