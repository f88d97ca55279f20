"""The linear model that a nonlinear state space starts from: its states, and what they are read from."""

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from surrogate_modeling.networks.linear_fit import fit_linear_model
from surrogate_modeling.networks.linear_start import MAX_SIZE, _scaled, linear_start
from surrogate_modeling.networks.linear_state_space import LinearModel, Trajectories
from surrogate_modeling.networks.recurrence import BOUND
from surrogate_modeling.networks.sizes import Batch

ROWS, IN_LEN = 120, 4


def windows(count: int, rounding: float, seed: int = 0) -> Batch:
    """Cases that start at rest in one state, as simulations do, and then follow a control with a lag.

    Args:
        count: of them.
        rounding: standard deviation of what the given rows differ by.
        seed: of the controls.
    """
    random = default_rng(seed)
    control = np.repeat(random.normal(size=(count, ROWS // 10)), 10, axis=1)
    output = np.zeros((count, ROWS))
    for t in range(1, ROWS):
        output[:, t] = 0.9 * output[:, t - 1] + 0.1 * control[:, t - 1]
    past = np.zeros((count, IN_LEN, 2)) + rounding * random.normal(size=(count, IN_LEN, 2))
    parts = past, control[..., None], output[..., None], np.ones((count, ROWS))
    return Batch(*(torch.from_numpy(part).float() for part in parts))


@pytest.mark.parametrize("rounding", [0.0, 1e-7])
def test_no_state_is_read_from_rounding(rounding: float) -> None:
    """Given rows that differ by a thousandth must not change a state by more than that, as each has a spread of 1."""
    batch = windows(24, rounding)
    start = linear_start(batch, batch, 4)
    past_features = start.e[:, :-1]
    assert float(past_features.abs().max()) < 1.0


def test_a_state_is_read_from_what_the_cases_start_at() -> None:
    batch = windows(24, 0.0)
    levels = torch.linspace(-1, 1, 24)[:, None]
    decay = 0.9 ** torch.arange(1, ROWS + 1)
    batch = batch._replace(
        past=batch.past.index_fill(2, torch.tensor([1]), 0.0) + levels[..., None] * torch.tensor([0.0, 1.0]),
        truth=batch.truth + (levels * decay)[..., None],
    )
    model = fit_linear_model(*_parts(batch), 1)
    given = Trajectories.of(*(part.double().numpy() for part in batch))
    np.testing.assert_allclose(model.outputs(given), given.output, atol=0.02)


def _parts(batch: Batch) -> tuple[Trajectories, np.ndarray, Trajectories]:
    every = Trajectories.of(*(part.double().numpy() for part in batch))
    return every, np.arange(len(every)) < 18, every[np.arange(18, len(every))]


def test_a_state_that_hardly_moves_is_counted_from_its_level() -> None:
    """An integrator near 300, moved by 0.001 u: its level is the output's constant, and no row reaches the bound."""
    one = np.ones((1, 1))
    model = LinearModel(one, np.array([[0.001, 0.0]]), one, np.zeros((1, 2)), np.array([[0.0, 0.0, 0.0, 0.0, 300.0]]))
    batch = windows(8, 0.0)
    given = Trajectories.of(*(part.double().numpy() for part in batch))
    start = _scaled(model, given, 2, modal=False)
    scaled = LinearModel(*(part.numpy() for part in start[:5]))
    states = scaled.states(given)
    assert np.abs(states).max() <= MAX_SIZE < BOUND
    assert states[..., 0].std() == pytest.approx(1.0)
    np.testing.assert_allclose(scaled.outputs(given), model.outputs(given), rtol=1e-12)


def test_a_state_that_leaps_once_stays_far_from_the_bound() -> None:
    """A state that is 0 but for one row in 40,000 would be 200 standard deviations out there."""
    rows = 200
    control = np.zeros((200, rows, 1))
    control[3, 7] = 1.0
    model = LinearModel(np.zeros((1, 1)), np.array([[1.0, 0.0]]), np.ones((1, 1)), np.zeros((1, 2)), np.zeros((1, 5)))
    given = Trajectories.of(np.zeros((200, IN_LEN, 2)), control, np.zeros((200, rows, 1)), np.ones((200, rows)))
    start = _scaled(model, given, 1, modal=False)
    scaled = LinearModel(*(part.numpy() for part in start[:5]))
    assert np.abs(scaled.states(given)).max() == pytest.approx(MAX_SIZE)
    np.testing.assert_allclose(scaled.outputs(given), model.outputs(given), atol=1e-12)
