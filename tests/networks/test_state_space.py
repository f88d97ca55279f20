"""The state-space network: steps equal the whole, stability, and what it takes from the training cases."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_modeling.config.models import Base, Core, SsmConfig
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.networks.state_space import GatedRecurrentUnits, LeakyAverages, StateSpace

SIZES = Sizes(controls=2, predicted=3, in_len=5, out_len=1, fed_back=3)


def make(
    base: Base = Base.none,
    core: Core = Core.diagonal,
    sizes: Sizes = SIZES,
    encoder: bool = True,
    **modes: Any,
) -> StateSpace:
    torch.manual_seed(0)
    config = SsmConfig(
        "ssm", width=8, states=6, depth=2, core=core, base=base, encoder=encoder, filters=[2.0, 9.0], **modes
    )
    return StateSpace(config, sizes).double().eval()


def initialise(network: StateSpace, *windows: torch.Tensor) -> None:
    past, control, future, weight = windows
    network.initialise(Batch(past, control, future, weight), Batch(past, control, future, weight))


CORES: list[dict[str, Any]] = [
    {"core": Core.diagonal},
    {"core": Core.gru},
    {"oscillations": [7.0, 30.0]},
    {"oscillations": [7.0], "integral_time": 20.0},
]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("base", list(Base))
def test_row_by_row_equals_the_whole_horizon(base: Base, core: dict[str, Any]) -> None:
    network = make(base, **core)
    past, control = torch.randn(4, 5, 5).double(), torch.randn(4, 23, 2).double()
    initialise(network, past, control, torch.randn(4, 23, 3).double(), torch.ones(4, 23))
    whole = network(past, control)
    state, rows = network.encode(past), []
    for t in range(23):
        state, row = network.advance(state, control[:, t : t + 1])
        rows.append(row)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole)
    torch.testing.assert_close(network.advance(network.encode(past), control), (state, whole))
    torch.testing.assert_close(network.free_run(past, control), whole)


def test_blocks_of_rows_equal_the_whole_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make(Base.quadratic)
    past, control = torch.randn(4, 5, 5).double(), torch.randn(4, 23, 2).double()
    initialise(network, past, control, torch.randn(4, 23, 3).double(), torch.ones(4, 23))
    monkeypatch.setattr("surrogate_modeling.networks.base.ROWS_AT_ONCE", 4 * 5 + 3)
    run, lengths = network.run, []
    monkeypatch.setattr(network, "run", lambda state, part: lengths.append(part.shape[1]) or run(state, part))
    whole = network.free_run(past, control)
    assert lengths == [23]
    with torch.no_grad():
        torch.testing.assert_close(network.free_run(past, control), whole)
    assert lengths[1:] == [5, 5, 5, 5, 3]


def test_slow_states_stay_slow_in_bf16() -> None:
    """A time constant of 10,000 rows: after 1,000 rows the state has come 1 - exp(-0.1) of the way."""
    averages = LeakyAverages(SsmConfig(name="ssm", width=1, states=1))
    with torch.no_grad():
        averages.gate.weight.zero_()
        averages.gate.bias.copy_(torch.log(torch.expm1(torch.tensor([1e-4]))))
        averages.value.weight.zero_()
        averages.value.bias.fill_(1.0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = averages(torch.zeros(1000, 1, 1), torch.zeros(1, 1))
    # The bias itself is rounded to 3 digits.
    assert float(states[-1]) == pytest.approx(1 - math.exp(-0.1), rel=0.05)


def test_later_controls_do_not_change_earlier_rows() -> None:
    network = make()
    past, control = torch.randn(1, 5, 5).double(), torch.randn(1, 12, 2).double()
    other = control.clone()
    other[:, 7:] += 1.0
    before, after = network(past, control), network(past, other)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("core", CORES[:3])
def test_bounded_controls_give_bounded_outputs_whatever_the_weights(core: dict[str, Any]) -> None:
    network = make(**core)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=3.0)
        control = torch.rand(2, 20_000, 2).double()
        output = network(torch.randn(2, 5, 5).double(), control)
    assert torch.isfinite(output).all()
    assert output[:, 10_000:].abs().max() <= 1.5 * output[:, :10_000].abs().max()


def test_the_linear_base_recovers_a_plant_of_its_own_kind() -> None:
    network = make(Base.linear)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    rng = np.random.default_rng(1)
    control = torch.tensor(rng.normal(size=(6, 300, 2)))
    past = torch.zeros(6, 5, 5).double()
    keep, state, rows = np.exp(-1 / 9.0), np.zeros((6, 2)), []
    for t in range(300):
        state = keep * state + (1 - keep) * control[:, t].numpy()
        rows.append(2.0 * state[:, :1] - state[:, 1:] + 0.5)
    truth = torch.tensor(np.stack(rows, axis=1)).expand(-1, -1, 3)
    initialise(network, past, control, truth, torch.ones(6, 300))
    torch.testing.assert_close(network(past, control), truth, atol=0.02, rtol=0)


def test_the_level_base_starts_from_the_past_window() -> None:
    network = make(Base.level)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    past, control = torch.randn(4, 5, 5).double(), torch.randn(4, 6, 2).double()
    initialise(network, past, control, torch.zeros(4, 6, 3).double(), torch.ones(4, 6))
    torch.testing.assert_close(network(past, control), past[:, :, 2:].mean(dim=1, keepdim=True).expand(-1, 6, -1))


def test_the_level_base_reaches_the_columns_that_are_fed_back() -> None:
    network = make(Base.level, sizes=Sizes(2, 3, 5, 1, 1, (2,)))
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    past, control = torch.randn(4, 5, 3).double(), torch.randn(4, 6, 2).double()
    initialise(network, past, control, torch.zeros(4, 6, 3).double(), torch.ones(4, 6))
    expected = torch.zeros(4, 6, 3).double()
    expected[..., 2] = past[:, :, 2].mean(dim=1, keepdim=True)
    torch.testing.assert_close(network(past, control), expected)


def test_one_gru_row_is_torch_s_own() -> None:
    layer = GatedRecurrentUnits(SsmConfig("ssm", width=3, states=4))
    features, state = torch.randn(7, 2, 3), torch.randn(2, 4)
    expected = layer.gru(features, state[None])[0]
    for t in range(7):
        state = layer(features[t : t + 1], state)[0]
        torch.testing.assert_close(state, expected[t])


def test_without_an_encoder_only_the_base_sees_the_past_outputs() -> None:
    network = make(Base.level, encoder=False)
    past, control = torch.randn(4, 5, 5).double(), torch.randn(4, 6, 2).double()
    initialise(network, past, control, torch.zeros(4, 6, 3).double(), torch.ones(4, 6))
    moved = past.clone()
    moved[..., 3] += 0.7
    difference = network(moved, control) - network(past, control)
    expected = torch.zeros(4, 6, 3).double()
    expected[..., 1] = 0.7
    torch.testing.assert_close(difference, expected)
    assert make().encoder is not None


def test_whether_a_level_helps_is_judged_on_whole_cases() -> None:
    network = make(Base.auto)
    past, control = torch.randn(8, 5, 5).double(), torch.randn(8, 30, 2).double()
    stays = past[:, :, 2:].mean(dim=1, keepdim=True).expand(-1, 30, -1)
    forgets, ones = torch.zeros(8, 30, 3).double(), torch.ones(8, 30)
    network.initialise(Batch(past, control, stays, ones), Batch(past, control, forgets, ones))
    level = network.base_weight[network.filters.level_at, network.filters.level_of]
    assert level.tolist() == [1.0, 1.0, 1.0]
    network.initialise(Batch(past, control, forgets, ones), Batch(past, control, stays, ones))
    assert not network.base_weight.any()
