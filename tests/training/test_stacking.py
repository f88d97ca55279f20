"""Shares against a mix by hand, and the stacked surrogate against its two parts."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_case
from exported import IN_LEN, STACKED, make, mix_with_regression, row_by_row

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.config.models import ModelConfig, SsmConfig
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import Baseline, fit_linear, fit_quadratic
from surrogate_modeling.training.regression_rows import BaselineData
from surrogate_modeling.training.stacking import MIN_GAIN, choose_shares, stack

CONTROLS = 2
SSM: ModelConfig = SsmConfig("ssm", width=4, states=4, depth=1)


def fresh(members: int = 1) -> tuple[Surrogate, list[Case]]:
    """An untrained surrogate of two controls, scaled on its cases."""
    cases = [make_case(f"c{i}", 60, i) for i in range(5)]
    channels = Channels(("u", "v"), ("a", "b"), ("b",), dict.fromkeys("uvab", "-"))
    torch.manual_seed(0)
    surrogate = Surrogate(Description(SSM, channels, IN_LEN, 1, 1.0, members=members)).eval()
    surrogate.scaling.fit(case.values for case in cases)
    return surrogate, cases


def fitted(surrogate: Surrogate, cases: list[Case], quadratic: bool = True) -> Baseline:
    data = BaselineData(cases[:3], cases[3:4], [1], surrogate.scaling, IN_LEN)
    linear = fit_linear(data)
    return fit_quadratic(data, linear) if quadratic else linear


def test_share_of_the_least_error_over_cases_of_any_length() -> None:
    """Network 1 above, regression 4 below: a fifth of the regression is right; elsewhere the network alone is."""
    truth = [np.zeros((rows, 3)) for rows in (4, 7)]
    network = [rows + np.array([1.0, 0.1, 0.0]) for rows in truth]
    regressed = [rows + np.array([-4.0, 4.0, 0.0]) for rows in truth]
    np.testing.assert_allclose(choose_shares(network, regressed, truth), [0.8, 1.0, 1.0])


def test_a_small_gain_is_taken_for_chance() -> None:
    """The best mix has the share 0 and takes a part of the error away: a little more or less than counts."""
    truth = [np.zeros((5, 1))]
    for gain, share in ((MIN_GAIN + 0.01, 0.0), (MIN_GAIN - 0.01, 1.0)):
        assert choose_shares([truth[0] + 1.0], [truth[0] + 1.0 - gain], truth).tolist() == [share]


@pytest.mark.parametrize("quadratic", [False, True])
def test_the_regression_as_a_network_is_the_baseline(quadratic: bool) -> None:
    surrogate, cases = fresh()
    baseline = fitted(surrogate, cases, quadratic)
    mix_with_regression(surrogate, baseline.network, np.zeros(2))
    for rows, wanted in zip(surrogate.predict(cases), baseline.predict(cases), strict=True):
        np.testing.assert_allclose(rows, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("members", [1, 3])
def test_stacked_is_the_mix_of_the_two_trajectories(members: int, tmp_path: Path) -> None:
    surrogate, cases = fresh(members)
    baseline = fitted(surrogate, cases)
    alone = [runs[0] for runs in surrogate.predict_spread(cases[4:])]
    before = surrogate.network.parameter_count
    share = np.array([0.25, 1.0])
    mix_with_regression(surrogate, baseline.network, share)
    mean, spread = (runs[0] for runs in surrogate.predict_spread(cases[4:]))
    np.testing.assert_allclose(
        mean, share * alone[0] + (1 - share) * baseline.predict(cases[4:])[0], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(surrogate.predict(cases[4:])[0], mean, rtol=1e-4, atol=1e-4)
    # Of two members with shares s and 1 - s the weighted variance is s (1 - s) times their squared distance; what the
    # first has within itself counts by its share.
    apart = alone[0] - baseline.predict(cases[4:])[0]
    np.testing.assert_allclose(
        spread, np.sqrt(share * alone[1] ** 2 + share * (1 - share) * apart**2), rtol=1e-3, atol=1e-3
    )
    # Offsets are weights of the constant, of which there is one.
    assert before < surrogate.network.parameter_count <= before + baseline.parameters
    surrogate.save(tmp_path / "a.pth")
    loaded = Surrogate.load(tmp_path / "a.pth")
    assert loaded.description == surrogate.description
    np.testing.assert_array_equal(loaded.predict(cases)[1], surrogate.predict(cases)[1])


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("increment", [False, True])
def test_row_by_row_equals_the_whole_trajectory(name: str, increment: bool) -> None:
    """What ONNX and the FMU run."""
    surrogate = make(name, increment=increment)
    initial, controls = map(torch.tensor, random_cases(surrogate, 2, 30))
    with torch.no_grad():
        whole = surrogate.free_run(initial, controls)
    np.testing.assert_allclose(row_by_row(surrogate, initial, controls), whole, rtol=1e-4)


def test_several_rows_at_once_are_stepped_together() -> None:
    surrogate = make("don-stacked", out_len=3)
    initial, controls = map(torch.tensor, random_cases(surrogate, 2, 30))
    with torch.no_grad():
        whole = surrogate.free_run(initial, controls)
    np.testing.assert_allclose(row_by_row(surrogate, initial, controls), whole, rtol=1e-4)


def test_stacking_helps_an_untrained_network_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    surrogate, cases = fresh()
    baseline = fitted(surrogate, cases)
    with caplog.at_level(logging.INFO):
        shares = stack(surrogate, baseline, cases[3:4])
    assert set(shares) == {"b"}
    assert shares["b"] < 1.0
    assert f"share of the network: b {shares['b']:.1f}" in caplog.text
    assert isinstance(surrogate.network, MixtureNetwork)
    assert surrogate.network.weight[-1, 1].item() == pytest.approx(1.0 - shares["b"])


def test_a_network_without_any_share_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    surrogate, cases = fresh()
    baseline = fitted(surrogate, cases)
    with torch.no_grad():
        # Far off in every column, and always to the same side: any share of it makes the error larger.
        surrogate.network.head.bias.fill_(100.0)  # type: ignore[union-attr]
    assert stack(surrogate, baseline, cases[3:4]) == {"b": 0.0}
    assert [member.name for member in surrogate.description.mixture] == ["quadratic"]
    assert "the network has no share in any column: it is left out" in caplog.text
    surrogate.save(tmp_path / "a.pth")
    for rows, wanted in zip(Surrogate.load(tmp_path / "a.pth").predict(cases), baseline.predict(cases), strict=True):
        np.testing.assert_allclose(rows, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("broken", "said"), [(False, "no validation cases"), (True, "diverged")])
def test_without_grounds_the_network_stays_alone(broken: bool, said: str, caplog: pytest.LogCaptureFixture) -> None:
    surrogate, cases = fresh()
    baseline = fitted(surrogate, cases)
    if broken:
        with torch.no_grad():
            surrogate.network.head.bias.fill_(torch.nan)  # type: ignore[union-attr]
    assert stack(surrogate, baseline, cases[3:4] if broken else []) == {"b": 1.0}
    assert said in caplog.text
    assert not isinstance(surrogate.network, MixtureNetwork)
