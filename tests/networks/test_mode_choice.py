"""Which plants get oscillations and integrals: those that oscillate or integrate, by their known equations."""

import numpy as np
import pytest
import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import Core, Modes, SsmConfig
from surrogate_modeling.networks.mode_choice import choose_modes
from surrogate_modeling.networks.sizes import Batch

CASES, ROWS, IN_LEN = 8, 400, 5
PERIOD, TIME_CONSTANT = 20.0, 60.0


def held_steps(seed: int) -> np.ndarray:
    """(CASES, IN_LEN + ROWS, 1) of a control that is held for some rows and jumps."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(CASES, (IN_LEN + ROWS) // 15 + 1, 1)), 15, axis=1)[:, : IN_LEN + ROWS]


def plant(kind: str) -> Batch:
    """Whole cases of a lag, of a ringing mass, or of an integrator."""
    control, rng = held_steps(0), np.random.default_rng(1)
    state, rows = np.zeros((CASES, 1), complex), []
    pole = np.exp(-1 / TIME_CONSTANT + 2j * np.pi / PERIOD)
    for t in range(control.shape[1]):
        u = control[:, t]
        if kind == "lag":
            state = 0.9 * state + 0.1 * u
        elif kind == "ringing":
            state = pole * state + (1 - abs(pole)) * u
        else:
            state = state + u / 30.0
        rows.append(state.real)
    output = np.stack(rows, axis=1)
    output = output / output.std() + 0.01 * rng.normal(size=output.shape)
    past = np.concatenate((control, output), axis=-1)[:, :IN_LEN]
    parts = past, control[:, IN_LEN:], output[:, IN_LEN:], np.ones((CASES, ROWS))
    return Batch(*(torch.tensor(part, dtype=torch.float32) for part in parts))


def chosen(batch: Batch, **options: object) -> SsmConfig:
    config = choose_modes(SsmConfig("ssm", **options), batch, batch)  # type: ignore[arg-type]
    assert isinstance(config, SsmConfig)
    return config


def test_a_ringing_plant_gets_its_period(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        config = chosen(plant("ringing"))
    assert min(abs(period - PERIOD) for period in config.oscillations) < 0.5
    assert config.integral_time is None
    assert "oscillations with periods of" in caplog.text


def test_a_plant_of_lags_gets_nothing() -> None:
    assert chosen(plant("lag")) == SsmConfig("ssm")


def test_an_integrator_gets_integrals_over_the_length_of_a_case() -> None:
    config = chosen(plant("integrator"), filters=[2.0, 10.0, 50.0])
    assert config.integral_time == ROWS
    assert config.oscillations == []
    # Averages far longer than the cases are as good.
    assert chosen(plant("integrator")).integral_time is None


def test_nothing_is_looked_for_where_modes_are_given_or_not_wanted() -> None:
    ringing = plant("ringing")
    typed = SsmConfig("ssm", oscillations=[33.0])
    for config in (SsmConfig("ssm", modes=Modes.none), SsmConfig("ssm", core=Core.gru), typed):
        assert choose_modes(config, ringing, ringing) is config
    short = Batch(ringing.past, *(part[:, :40] for part in ringing[1:]))
    assert chosen(short) == SsmConfig("ssm")


def test_of_many_columns_the_main_axes_are_looked_at() -> None:
    ringing = plant("ringing")
    noise = 0.05 * torch.randn(CASES, ROWS, 12)
    many = ringing._replace(truth=ringing.truth * torch.linspace(0.5, 1.0, 12) + noise)
    many = many._replace(past=torch.cat((ringing.past[..., :1], ringing.past[..., 1:].expand(-1, -1, 12)), dim=-1))
    assert min(abs(period - PERIOD) for period in chosen(many).oscillations) < 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"oscillations": [1.0]}, "model.oscillations=[1.0]: must be periods of at least 2 rows"),
        ({"oscillations": [float("nan")]}, "model.oscillations=[nan]: must be periods"),
        ({"oscillations": [9.0], "core": Core.gru}, "model.oscillations=[9.0]: needs model.core=diagonal"),
        ({"oscillations": [9.0], "states": 1}, "model.states=1: must be at least 2"),
        ({"integral_time": 0.0}, "model.integral_time=0.0: must be above 0"),
    ],
)
def test_refusals(options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        SsmConfig("ssm", **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)
