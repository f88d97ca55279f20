"""The chunked recurrence against a loop, and its gradient against finite differences."""

import pytest
import torch

from surrogate_modeling.networks.scan import linear_scan


def loop(keep: torch.Tensor, add: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    states, state = [], start
    for k, a in zip(keep, add, strict=True):
        state = k * state + a
        states.append(state)
    return torch.stack(states)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 16, 50])
def test_scan_equals_a_loop(rows: int) -> None:
    torch.manual_seed(rows)
    keep, add, start = torch.rand(rows, 2, 3).double(), torch.randn(rows, 2, 3).double(), torch.randn(2, 3).double()
    torch.testing.assert_close(linear_scan(keep, add, start), loop(keep, add, start))


@pytest.mark.parametrize("rows", [1, 5, 9])
def test_gradient(rows: int) -> None:
    torch.manual_seed(0)
    inputs = [torch.rand(rows, 2, 2).double(), torch.randn(rows, 2, 2).double(), torch.randn(2, 2).double()]
    assert torch.autograd.gradcheck(linear_scan, [part.requires_grad_() for part in inputs])
