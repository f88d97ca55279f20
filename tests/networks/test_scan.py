"""The chunked recurrence against a loop, and its gradient against finite differences."""

import pytest
import torch

from surrogate_modeling.networks.scan import leaky_scan


def loop(move: torch.Tensor, value: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    states, state = [], start
    for z, v in zip(move, value, strict=True):
        state = (1 - z) * state + z * v
        states.append(state)
    return torch.stack(states)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 16, 50])
def test_scan_equals_a_loop_and_leaves_its_inputs_alone(rows: int) -> None:
    torch.manual_seed(rows)
    inputs = [torch.rand(rows, 2, 3).double(), torch.randn(rows, 2, 3).double(), torch.randn(2, 3).double()]
    before = [part.clone() for part in inputs]
    torch.testing.assert_close(leaky_scan(*inputs), loop(*inputs))
    assert all(map(torch.equal, inputs, before))
    # One move for all cases, as the filters have it.
    inputs[0] = inputs[0][:, :1].expand(-1, 2, -1)
    torch.testing.assert_close(leaky_scan(*inputs), loop(*inputs))


@pytest.mark.parametrize("rows", [1, 2, 5, 9])
def test_gradient(rows: int) -> None:
    torch.manual_seed(0)
    inputs = [torch.rand(rows, 2, 2).double(), torch.randn(rows, 2, 2).double(), torch.randn(2, 2).double()]
    assert torch.autograd.gradcheck(leaky_scan, [part.requires_grad_() for part in inputs])
