"""Leaky averages of which some turn: the recurrence of a state-space network for plants that oscillate.

A turning state is complex, x_t = (1 - z_t) exp(i a_t) x_(t-1) + z_t v_t, with the gate z of a leaky average and an
angle a per row; it rings at the period 2 pi / a. Gate, angle and value see the features of row t alone: the layer
before tells the amplitude, so that the period may depend on it. Bounded values give bounded states, as in every leaky
average.

In the frame that turns with it, y_t = exp(-i (a_1 + ... + a_t)) x_t, a turning state is a leaky average of two real
numbers: the scan is that of :mod:`scan`.

Shape letters: T rows (first axis), B batch, D width, N states: R leaky, then the real and the imaginary parts of M
turning ones.

Sources: complex diagonal recurrences with time constants and periods spread over the scales, scaled by what white noise
makes of them (LRU, Orvieto et al. 2023, arXiv:2303.06349).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from surrogate_modeling.config.models import SsmConfig
from surrogate_modeling.networks.scan import leaky_scan

# The periods at the start of training lie between those of the plant, and this factor beyond on either side.
PERIOD_RANGE = 2.0
# The least period, in rows, that a start of training may have.
MIN_PERIOD = 2.5
# Largest factor, and its inverse, by which the features of a row change the angle.
MAX_ANGLE_FACTOR = 1.5
# Fractional part of the golden ratio: its multiples spread evenly, however many.
GOLDEN = 0.618034


class OscillatingAverages(nn.Module):
    """Leaky averages, a part of which turn at periods around those of the plant.

    Attributes:
        scale: (N,) that values are multiplied by: white noise then moves turning states by as much as others.

    Args:
        config: with ``oscillations``, periods in rows.
    """

    scale: Tensor

    def __init__(self, config: SsmConfig) -> None:
        super().__init__()
        self.turning = max(1, config.states // 3)
        self.leaky = config.states - 2 * self.turning
        self.value = nn.Linear(config.width, config.states)
        self.gate = nn.Linear(config.width, self.leaky + self.turning)
        self.bend = nn.Linear(config.width, self.turning)
        shortest = max(MIN_PERIOD, min(config.oscillations) / PERIOD_RANGE)
        longest = PERIOD_RANGE * max(config.oscillations)
        periods = torch.logspace(math.log10(shortest), math.log10(longest), self.turning)
        share = torch.arange(self.turning) * GOLDEN % 1.0
        lasting = shortest * (max(config.longest_time, shortest) / shortest) ** share
        leaky = torch.logspace(0.0, math.log10(config.longest_time), max(1, self.leaky))[: self.leaky]
        tau = torch.cat((leaky, lasting))
        self.log_angle = nn.Parameter(torch.log(2.0 * math.pi / periods))
        self.register_buffer("scale", torch.cat((torch.ones(self.leaky), lasting.sqrt().repeat(2))), persistent=False)
        with torch.no_grad():
            self.gate.weight.mul_(0.1)
            # sigmoid(bias) = 1 - exp(-1 / tau)
            self.gate.bias.copy_(torch.log(torch.expm1(1.0 / tau)))
            self.bend.weight.mul_(0.1)
            self.bend.bias.zero_()

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Features (T, B, D) and state (B, N) -> states (T, B, N)."""
        gate, value, bend = self.gate(features), self.value(features), self.bend(features)
        if gate.dtype is torch.bfloat16:
            # Where 1 - z of a slow state is 1 or 0.996: it would forget, or never move.
            gate, value, bend, state = gate.float(), value.float(), bend.float(), state.float()
        angle = torch.exp(self.log_angle + math.log(MAX_ANGLE_FACTOR) * torch.tanh(bend))
        # A sum of thousands of angles has lost the digits that a cosine needs.
        turned = angle if len(angle) == 1 else angle.double().cumsum(dim=0).remainder(2.0 * math.pi).to(angle.dtype)
        cosine, sine = torch.cos(turned), torch.sin(turned)
        leaky, real, imaginary = (self.scale * value).split([self.leaky, self.turning, self.turning], dim=-1)
        values = torch.cat((leaky, real * cosine + imaginary * sine, imaginary * cosine - real * sine), dim=-1)
        move = torch.sigmoid(gate)
        states = leaky_scan(torch.cat((move, move[..., self.leaky :]), dim=-1), values, state)
        leaky, real, imaginary = states.split([self.leaky, self.turning, self.turning], dim=-1)
        return torch.cat((leaky, real * cosine - imaginary * sine, imaginary * cosine + real * sine), dim=-1)
