"""Linear models of plants whose equations are written here: oscillating, integrating, slow, with noise."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.signal import lfilter

from surrogate_modeling.networks import subspace
from surrogate_modeling.networks.linear_fit import fit_linear_model
from surrogate_modeling.networks.linear_state_space import Trajectories, in_modes, mean_error
from surrogate_modeling.networks.subspace import poles

IN_LEN, ROWS = 5, 200


def windows(plant: str, count: int = 24, noise: float = 0.0, seed: int = 0) -> Trajectories:
    """Of one output under a random control that is held for ten rows."""
    random = default_rng(seed)
    control = np.repeat(random.normal(size=(count, (IN_LEN + ROWS) // 10 + 1)), 10, axis=1)[:, : IN_LEN + ROWS]
    output = random.normal(size=(count, 1)) * decays(plant) + lfilter(*transfer(plant), control, axis=1)
    output += noise * random.normal(size=output.shape)
    both = np.stack((control, output), axis=-1)
    past, future = both[:, :IN_LEN], both[:, IN_LEN:]
    return Trajectories.of(past, future[..., :1], future[..., 1:], np.ones((count, ROWS)))


RADIUS, ANGLE = 0.99, 0.2


def transfer(plant: str) -> tuple[list[float], list[float]]:
    """Numerator and denominator; the output of a row follows from controls of rows before it."""
    return {
        "lag": ([0.0, 0.1], [1.0, -0.9]),
        "integrator": ([0.0, 0.05], [1.0, -1.0]),
        "oscillator": ([0.0, 0.1], [1.0, -2 * RADIUS * np.cos(ANGLE), RADIUS**2]),
    }[plant]


def decays(plant: str) -> np.ndarray:
    """A free response from row 0 on."""
    row = np.arange(IN_LEN + ROWS)
    return {"lag": 0.9**row, "integrator": 0 * row + 1.0, "oscillator": RADIUS**row * np.cos(ANGLE * row)}[plant]


@pytest.mark.parametrize(("plant", "order"), [("lag", 1), ("integrator", 1), ("oscillator", 2)])
def test_a_plant_is_recovered_with_its_order_and_poles(plant: str, order: int) -> None:
    fitted, held_out = windows(plant), windows(plant, seed=1)
    kept = np.arange(len(fitted)) < 18
    model = fit_linear_model(fitted, kept, held_out, order)
    assert mean_error(model, held_out) < 0.02 * np.abs(held_out.output).mean()
    wanted = {"lag": [0.9], "integrator": [1.0], "oscillator": RADIUS * np.exp([-ANGLE * 1j, ANGLE * 1j])}[plant]
    found = np.linalg.eigvals(model.a)
    np.testing.assert_allclose(found[np.argsort(found.imag)], wanted, atol=2e-3)


def test_a_plant_at_rest_is_a_model_without_states() -> None:
    """Its rows are the mean; also in modal coordinates, as ``nss`` with ``stable`` has them."""
    given = windows("lag")
    still = replace(given, output=np.zeros((24, ROWS, 1)))
    assert len(poles(still.control[..., :-1], still.output, still.weight)) == 0
    model = fit_linear_model(still, np.arange(24) < 18, still[np.arange(18, 24)], 4)
    assert model.order == in_modes(model, 0.99).order == 0
    assert mean_error(model, still) == 0.0


def test_noise_does_not_hide_a_resonance() -> None:
    given = windows("oscillator", noise=0.1)
    found = poles(given.control[..., :-1], given.output, given.weight)
    nearest = found[np.abs(found - RADIUS * np.exp(ANGLE * 1j)).argmin()]
    assert abs(nearest) == pytest.approx(RADIUS, abs=0.01)
    assert np.angle(nearest) == pytest.approx(ANGLE, abs=0.01)


def test_of_many_outputs_the_principal_ones_are_enough_to_find_the_poles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs that are all shares of one motion are told by one; rows that a window does not have say nothing."""
    monkeypatch.setattr(subspace, "MAX_OUTPUTS", 2)
    given = windows("oscillator", noise=1e-4)
    shares = default_rng(1).normal(size=9)
    output, weight = given.output * shares, given.weight.copy()
    weight[-1, 100:], output[-1, 100:] = 0.0, 1e6
    found = poles(given.control[..., :-1], output, weight)
    nearest = found[np.abs(found - RADIUS * np.exp(ANGLE * 1j)).argmin()]
    assert abs(nearest) == pytest.approx(RADIUS, abs=0.01)
    assert np.angle(nearest) == pytest.approx(ANGLE, abs=0.01)


def test_of_many_windows_some_are_enough_to_find_the_poles(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of a quarter of the numbers the result is that of every fourth window, and near the whole one."""
    given = windows("lag", noise=0.01)
    whole = (given.control[..., :-1], given.output, given.weight)
    numbers = subspace.LAGS * 2 * len(given) * given.control.shape[1]
    fourth = poles(*(part[::4] for part in whole))
    monkeypatch.setattr(subspace, "MAX_REGRESSOR_VALUES", numbers // 4)
    assert np.abs(fourth - 0.9).min() < 0.01
    limited = poles(*whole)
    assert np.abs(limited - fourth[np.abs(fourth - 0.9).argmin()]).min() < 1e-9


def test_poles_of_unequal_windows_use_the_rows_that_are_there() -> None:
    given = windows("lag")
    given.weight[:, 150:] = 0.0
    given.output[:, 150:] = 1e6
    found = poles(given.control[..., :-1], given.output, given.weight)
    assert np.abs(found - 0.9).min() < 1e-3


def test_further_states_change_nothing_of_the_free_run() -> None:
    fitted, held_out = windows("oscillator"), windows("oscillator", seed=1)
    kept = np.arange(len(fitted)) < 18
    small, large = (fit_linear_model(fitted, kept, held_out, states) for states in (2, 6))
    assert (small.order, large.order) == (2, 6)
    read = np.abs(large.c).max(axis=0) > 0
    assert not np.abs(large.a[np.ix_(read, ~read)]).any()
