"""The Triton form of the recurrence against its plain form; without a GPU in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import sys
import torch
from surrogate_modeling.networks import recurrence_triton
from surrogate_modeling.networks.recurrence import Weights, run_row_by_row, BOUND

def check(rows, batch, size, width, pull):
    random = torch.Generator().manual_seed(rows)
    start, drive = torch.randn(batch, size, generator=random), torch.randn(rows, batch, size, generator=random)
    hidden, grad = torch.randn(rows, batch, width, generator=random), torch.randn(rows + 1, batch, size, generator=random)
    linear, inner = pull * torch.eye(size), 0.3 * torch.randn(width, size, generator=random)
    outer = 0.1 * torch.randn(size, width, generator=random)
    given = start, drive, hidden, linear, inner, outer
    exact = [part.double().requires_grad_() for part in given]
    truth = run_row_by_row(*exact[:3], Weights(*exact[3:]))
    wanted = torch.autograd.grad(truth, exact, grad.double())
    mine = [part.to(sys.argv[1]).requires_grad_() for part in given]
    # Not contiguous, as the network gives it.
    found = recurrence_triton.run_states(mine[0], mine[1].transpose(0, 1).contiguous().transpose(0, 1), *mine[2:3], mine[3:], BOUND)
    torch.testing.assert_close(found.cpu().double(), truth, rtol=1e-4, atol=1e-4)
    for got, want in zip(torch.autograd.grad(found, mine, grad.to(sys.argv[1])), wanted):
        torch.testing.assert_close(got.cpu().double(), want, rtol=1e-3, atol=1e-3)

for sizes in eval(sys.argv[2]):
    check(*sizes)
"""


def check(device: str, sizes: list[tuple[int, int, int, int, float]]) -> None:
    """In a process of its own: Triton is told to interpret before it is imported."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"} if device == "cpu" else None
    command = [sys.executable, "-c", CODE, device, repr(sizes)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch for Linux only")
def test_states_and_gradients_are_those_of_the_plain_form() -> None:
    # The last one runs into the bound.
    check("cpu", [(9, 3, 5, 7, 0.9), (5, 17, 16, 18, 0.9), (12, 2, 3, 4, 3.0)])


@pytest.mark.gpu
def test_states_and_gradients_are_those_of_the_plain_form_on_a_gpu() -> None:
    check("cuda", [(9, 3, 5, 7, 0.9), (600, 16, 12, 32, 0.5), (20, 1000, 12, 32, 0.9), (12, 2, 3, 4, 3.0)])
