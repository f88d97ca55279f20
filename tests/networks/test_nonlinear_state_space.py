"""The nonlinear state space: its start, rows one by one, integrating and oscillating plants, and the contracting form."""

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from scipy.signal import lfilter

from surrogate_modeling.config.models import NssConfig
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.linear_start import linear_start
from surrogate_modeling.networks.nonlinear_state_space import NonlinearStateSpace, contracting
from surrogate_modeling.networks.sizes import Batch

SIZES = Sizes(controls=1, predicted=2, in_len=5, out_len=1, fed_back=2)
ROWS = 120


def make(states: int = 4, stable: bool = False, trained: bool = True) -> NonlinearStateSpace:
    """``trained``: what starts at zero is random."""
    torch.manual_seed(0)
    network = NonlinearStateSpace(NssConfig("nss", states=states, width=6, stable=stable), SIZES).double().eval()
    if trained:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return network


def windows(count: int = 30, seed: int = 0, rows: int = ROWS) -> Batch:
    """An oscillator and an integrator under one control, from row 0 at rest or not."""
    random = default_rng(seed)
    total = SIZES.in_len + rows
    control = np.repeat(random.normal(size=(count, total // 10 + 1)), 10, axis=1)[:, :total]
    row, start = np.arange(total), random.normal(size=(2, count, 1))
    swings = start[0] * 0.98**row * np.cos(0.3 * row)
    swings += lfilter([0.0, 0.1], [1.0, -2 * 0.98 * np.cos(0.3), 0.98**2], control, axis=1)
    counts = start[1] + lfilter([0.0, 0.05], [1.0, -1.0], control, axis=1)
    every = torch.tensor(np.stack((control, swings, counts), axis=-1))
    past, future = every[:, : SIZES.in_len], every[:, SIZES.in_len :]
    return Batch(past, future[..., :1], future[..., 1:], torch.ones(count, rows, dtype=torch.double))


@pytest.mark.parametrize("stable", [False, True])
def test_row_by_row_equals_the_whole_horizon(stable: bool) -> None:
    network = make(stable=stable)
    past, control, _, _ = windows(4)
    whole = network(past, control)
    state, rows = network.encode(past), []
    for t in range(ROWS):
        state, row = network.advance(state, control[:, t : t + 1])
        rows.append(row)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole)
    torch.testing.assert_close(network.free_run(past, control), whole)


def test_the_equations_are_those_of_the_docstring() -> None:
    """Two rows by hand, from the tensors of the network."""
    network = make(states=2)
    past, control, _, _ = (part[:1] for part in windows(1))
    own = {name: value.numpy() for name, value in network.state_dict().items()}

    def added(part: str, inputs: np.ndarray) -> np.ndarray:
        hidden = np.tanh(own[f"{part}.inner.weight"] @ inputs + own[f"{part}.inner.bias"])
        linear = own[f"{part}.linear.weight"] @ inputs + own[f"{part}.linear.bias"]
        return linear + own[f"{part}.outer.weight"] @ hidden

    window, u = past[0].numpy(), control[0].numpy()
    known = np.concatenate((window.mean(axis=0), window[-1] - window[0], [1.0]))
    x = own["e"] @ known + added("starts", window.flatten() / np.sqrt(15))
    for t in range(2):
        both = np.concatenate((x, u[t], np.tanh(own["sees.weight"] @ u[t] + own["sees.bias"])))
        y = own["c"] @ x + own["d"] @ [*u[t], 1.0] + added("reads", both)
        np.testing.assert_allclose(network(past, control)[0, t].detach().numpy(), y)
        x = own["a"] @ x + own["b"] @ [*u[t], 1.0] + own["pace"] * added("moves", both)


@pytest.mark.parametrize("stable", [False, True])
def test_it_starts_as_the_linear_model_which_knows_oscillators_and_integrators(stable: bool) -> None:
    network, given = make(states=6, stable=stable, trained=False), windows()
    network.initialise(given, given)
    past, control, future, _ = windows(5, seed=1, rows=400)
    start = linear_start(given, given, 6, stable)
    state = torch.cat((past.mean(dim=1), past[:, -1] - past[:, 0], torch.ones(5, 1)), dim=-1) @ start.e.T
    rows = []
    for t in range(400):
        u = torch.cat((control[:, t], torch.ones(5, 1)), dim=-1)
        rows.append(state @ start.c.T + u @ start.d.T)
        state = state @ start.a.T + u @ start.b.T
    predicted = network(past, control)
    torch.testing.assert_close(predicted, torch.stack(rows, dim=1))
    # Beyond the length it was fitted on; the contracting form lets an integrator forget, 1 % in 100 rows: 0.2 of the
    # standard deviation of the integral after 400.
    error = (predicted - future).abs().mean(dim=(0, 1)) / future.std(dim=(0, 1))
    assert error.max() < (0.25 if stable else 0.02)


def test_a_state_has_unit_variance_and_a_pace() -> None:
    network, given = make(states=6, trained=False), windows()
    network.initialise(given, given)
    state, states = network.encode(given.past), []
    for t in range(ROWS):
        states.append(state)
        state, _ = network.advance(state, given.control[:, t : t + 1])
    every = torch.stack(states).detach()
    torch.testing.assert_close(every.std(dim=(0, 1), correction=0), torch.ones(6).double())
    torch.testing.assert_close(every.diff(dim=0).square().mean(dim=(0, 1)).sqrt(), network.pace)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 20, ROWS])
def test_any_number_of_cases_will_do(count: int, rows: int) -> None:
    network, given = make(states=6, trained=False), windows(count, rows=rows)
    network.initialise(given, given)
    assert network(*windows(2)[:2]).isfinite().all()


def test_a_run_does_not_depend_on_its_block_length(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make()
    past, control, _, _ = windows(4)
    whole = network(past, control)
    monkeypatch.setattr("surrogate_modeling.networks.base.ROWS_AT_ONCE", 4 * 7)
    with torch.no_grad():
        torch.testing.assert_close(network(past, control), whole)


def test_runs_of_the_contracting_form_never_move_apart_whatever_the_weights() -> None:
    network, given = make(states=6, stable=True, trained=False), windows()
    network.initialise(given, given)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=3.0)
    control = torch.randn(1, 3000, 1).double().expand(2, -1, -1)
    state, apart = torch.randn(2, 6).double(), []
    with torch.no_grad():
        for t in range(3000):
            apart.append((state[0] - state[1]).view(3, 2).norm(dim=1).max())
            state, _ = network.advance(state, control[:, t : t + 1])
    distance = torch.stack(apart)
    assert (distance[1:] <= distance[:-1] + 1e-12).all()
    assert distance[-1] < 0.9 * distance[0]


def test_small_additions_are_left_alone_by_the_contracting_form() -> None:
    a, small = 0.5 * torch.eye(4), 1e-3 * torch.ones(4, 4)
    assert contracting(a, small, small, small).flatten().tolist() == [1.0] * 4
    # Rows 3 and 4 move by the norms of two 2 x 2 blocks of ones, 2 + 2; 0.99 x (1 - 0.5) of it is left.
    large = torch.cat((torch.zeros(2, 4), torch.ones(2, 4)))
    expected = [1.0, 1.0, 0.99 * 0.5 / 4, 0.99 * 0.5 / 4]
    assert contracting(a, large, 0 * small, 0 * small).flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("still", [slice(0, 1), slice(1, 2), slice(0, 3)])
def test_columns_that_never_move_are_predicted_where_they_are(still: slice) -> None:
    """A control, one output, or everything."""
    network, given = make(states=6, trained=False), windows()
    every = torch.cat(
        (torch.cat((given.past[..., :1], given.control), dim=1), given.past.new_zeros(30, 5 + ROWS, 2)), -1
    )
    every[..., 1:] = torch.cat((given.past[..., 1:], given.truth), dim=1)
    every[..., still] = 0.5
    batch = Batch(every[:, :5], every[:, 5:, :1], every[:, 5:, 1:], given.weight)
    network.initialise(batch, batch)
    predicted = network(batch.past, batch.control)
    assert predicted.isfinite().all()
    outputs = [k - 1 for k in range(1, 3) if still.start <= k < still.stop]
    assert (predicted[..., outputs] - 0.5).abs().max() < 0.01 if outputs else True


@pytest.mark.parametrize("stable", [False, True])
def test_the_start_has_a_gradient(stable: bool) -> None:
    network, given = make(states=4, stable=stable, trained=False), windows()
    network.initialise(given, given)
    (network(given.past, given.control) - given.truth).square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    assert all(gradients[f"{part}.outer.weight"].abs().max() > 0 for part in ("moves", "reads", "starts"))
