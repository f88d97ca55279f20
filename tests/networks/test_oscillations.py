"""Turning averages: their poles against a complex recurrence written out, and against the damped oscillator they are."""

import math

import numpy as np
import pytest
import torch

from surrogate_modeling.config.models import SsmConfig
from surrogate_modeling.networks.oscillations import OscillatingAverages


def make(states: int = 7, width: int = 3) -> OscillatingAverages:
    torch.manual_seed(0)
    config = SsmConfig("ssm", width=width, states=states, oscillations=[6.0, 40.0], longest_time=100.0)
    return OscillatingAverages(config).double()


def written_out(core: OscillatingAverages, features: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Complex numbers, row by row."""
    leaky, turning = core.leaky, core.turning
    rows = []
    for row in features:
        z, v = torch.sigmoid(core.gate(row)), core.value(row) * core.scale
        angle = torch.exp(core.log_angle + math.log(1.5) * torch.tanh(core.bend(row)))
        before = torch.complex(state[:, leaky : leaky + turning], state[:, leaky + turning :])
        value = torch.complex(v[:, leaky : leaky + turning], v[:, leaky + turning :])
        pair = (1 - z[:, leaky:]) * torch.exp(1j * angle) * before + z[:, leaky:] * value
        plain = (1 - z[:, :leaky]) * state[:, :leaky] + z[:, :leaky] * v[:, :leaky]
        state = torch.cat((plain, pair.real, pair.imag), dim=-1)
        rows.append(state)
    return torch.stack(rows)


@pytest.mark.parametrize("states", [2, 3, 7])
@pytest.mark.parametrize("rows", [1, 2, 60])
def test_all_rows_at_once_are_the_complex_recurrence(states: int, rows: int) -> None:
    core = make(states)
    features, state = torch.randn(rows, 2, 3).double(), torch.randn(2, states).double()
    torch.testing.assert_close(core(features, state), written_out(core, features, state))


def test_left_alone_a_turning_state_rings_at_its_period_and_decays() -> None:
    """From 1 without input: exp(-t / tau) cos(2 pi t / period)."""
    core = make(2, 1)
    with torch.no_grad():
        for part in (core.gate, core.value, core.bend):
            part.weight.zero_()
            part.bias.zero_()
        core.gate.bias.fill_(math.log(math.expm1(1 / 50.0)))
        core.log_angle.fill_(math.log(2 * math.pi / 12.5))
        states = core(torch.zeros(80, 1, 1).double(), torch.tensor([[1.0, 0.0]]).double())
    t = np.arange(1, 81)
    expected = np.exp(-t / 50.0)[:, None] * np.stack((np.cos(2 * np.pi * t / 12.5), np.sin(2 * np.pi * t / 12.5)), 1)
    # The bias is that of sigmoid(b) = 1 - exp(-1 / 50).
    np.testing.assert_allclose(states[:, 0].numpy(), expected, atol=1e-9)


def test_a_long_run_keeps_its_phase() -> None:
    """Angles sum up to thousands of turns, of which single precision would lose the last digits."""
    core = make(4)
    features, state = torch.randn(20_000, 1, 3), torch.randn(1, 4)
    exact = core(features.double(), state.double())
    single = core.float()(features, state)
    torch.testing.assert_close(single.double(), exact, atol=2e-3, rtol=1e-3)


def test_the_periods_at_the_start_span_those_of_the_plant() -> None:
    core = make(48)
    periods = 2 * math.pi / core.log_angle.detach().exp()
    assert float(periods.min()) == pytest.approx(3.0)
    assert float(periods.max()) == pytest.approx(80.0)


def test_gradient() -> None:
    core = make(4, 2)
    inputs = [torch.randn(5, 2, 2).double().requires_grad_(), torch.randn(2, 4).double().requires_grad_()]
    assert torch.autograd.gradcheck(core, inputs)
