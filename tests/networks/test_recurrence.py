"""The compiled recurrence against a loop of plain operations, and its gradient."""

import numpy as np
import pytest
import torch

from surrogate_modeling.networks.recurrence import BOUND, Weights, run_row_by_row, run_states


def given(rows: int, batch: int = 3, states: int = 4, hidden: int = 5) -> list[torch.Tensor]:
    torch.manual_seed(rows)
    shapes = [(batch, states), (rows, batch, states), (rows, batch, hidden), (states, states), (hidden, states)]
    inputs = [torch.randn(shape).double() for shape in (*shapes, (states, hidden))]
    inputs[3] *= 0.3
    return inputs


@pytest.mark.parametrize("rows", [1, 2, 7, 60])
def test_states_and_gradients_are_those_of_a_loop(rows: int) -> None:
    inputs = [part.requires_grad_() for part in given(rows)]
    before = [part.detach().clone() for part in inputs]
    upstream = torch.randn(rows + 1, 3, 4).double()
    both = []
    for run in (run_states, run_row_by_row):
        states = run(*inputs[:3], Weights(*inputs[3:]))
        both.append([states, *torch.autograd.grad((states * upstream).sum(), inputs)])
    for compiled, plain in zip(*both, strict=True):
        torch.testing.assert_close(compiled, plain)
    assert all(map(torch.equal, inputs, before))


def test_gradient_against_finite_differences() -> None:
    inputs = [part.requires_grad_() for part in given(4, batch=2, states=2, hidden=3)]
    assert torch.autograd.gradcheck(lambda *parts: run_states(*parts[:3], Weights(*parts[3:])), inputs)


def test_single_precision_agrees_with_double() -> None:
    inputs = given(100)
    double = run_states(*inputs[:3], Weights(*inputs[3:]))
    single = [part.float() for part in inputs]
    torch.testing.assert_close(run_states(*single[:3], Weights(*single[3:])).double(), double, atol=1e-4, rtol=1e-4)


def test_tanh_in_single_precision() -> None:
    """With A = W1 = 0 and W2 = 1 the state is tanh of what is given."""
    given = torch.cat((torch.linspace(-12.0, 12.0, 2001), torch.tensor([0.0, 1e-30, 1e30, -torch.inf])))
    hidden = given[None, :, None]
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    states = run_states(torch.zeros(len(given), 1), torch.zeros_like(hidden), hidden, Weights(zero, zero, one))
    expected = np.tanh(given.double().numpy())
    np.testing.assert_allclose(states[1, :, 0].numpy(), expected, rtol=4e-7, atol=1e-35)


@pytest.mark.parametrize("run", [run_states, run_row_by_row])
def test_a_state_that_runs_away_stays_finite_and_carries_no_gradient(run: object) -> None:
    """x doubles every row: 1, 2, 4, ... 512, then the bound; the start has no say in what comes after."""
    start = torch.ones(1, 1).double().requires_grad_()
    weights = Weights(torch.full((1, 1), -2.0).double(), torch.zeros(1, 1).double(), torch.zeros(1, 1).double())
    states = run(start, torch.zeros(12, 1, 1).double(), torch.zeros(12, 1, 1).double(), weights)  # type: ignore[operator]
    assert states.flatten().tolist() == [(-2.0) ** t for t in range(10)] + [BOUND, -BOUND, BOUND]
    assert torch.autograd.grad(states[9].sum(), start, retain_graph=True)[0].item() == -512.0
    assert torch.autograd.grad(states[12].sum(), start)[0].item() == 0.0


def test_what_is_no_number_stays_none() -> None:
    inputs = given(5)
    inputs[0][1, 2] = torch.nan
    states = run_states(*inputs[:3], Weights(*inputs[3:]))
    assert states[-1, 1].isnan().all()
    assert states[:, [0, 2]].isfinite().all()


def test_slow_states_stay_slow_in_bf16() -> None:
    """A time constant of 10,000 rows: after 1,000 rows exp(-0.1) of the start is left."""
    start = torch.ones(1, 1)
    weights = Weights(torch.full((1, 1), 0.9999), torch.zeros(1, 1), torch.zeros(1, 1))
    zeros = torch.zeros(1000, 1, 1, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = run_states(start, zeros, zeros, weights)
    assert float(states[-1]) == pytest.approx(0.9048, abs=1e-3)
