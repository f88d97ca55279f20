"""The Triton form of the leaky scan against a loop over rows; without a GPU in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import sys
import torch
from surrogate_modeling.networks import scan_triton

def check(rows, cases, states, expanded):
    random = torch.Generator().manual_seed(rows)
    move, value = (torch.rand(rows, cases, states, generator=random) for _ in range(2))
    if expanded:
        move = move[:1, :1].expand(rows, cases, -1)
    start, grad = torch.randn(cases, states, generator=random), torch.randn(rows, cases, states, generator=random)
    # Not contiguous, as the layers' halves of one product are not.
    value = value.transpose(0, 1).contiguous().transpose(0, 1)
    wanted = [part.double().requires_grad_() for part in (move, value, start)]
    states_before, each = wanted[2], []
    for t in range(rows):
        states_before = (1 - wanted[0][t]) * states_before + wanted[0][t] * wanted[1][t]
        each.append(states_before)
    truth = torch.stack(each)
    gradients = torch.autograd.grad(truth, wanted, grad.double())
    move, value, start, grad = (part.to(sys.argv[1]) for part in (move, value, start, grad))
    if expanded:
        move = move[:1, :1].expand(rows, cases, -1)
    found = scan_triton.scan(move, value, start)
    torch.testing.assert_close(found.cpu().double(), truth, rtol=1e-5, atol=1e-5)
    for got, want in zip(scan_triton.scan_gradient(grad, move, value, start, found), gradients):
        torch.testing.assert_close(got.cpu().double(), want, rtol=1e-4, atol=1e-4)

for sizes in eval(sys.argv[2]):
    check(*sizes)
"""


def check(device: str, sizes: list[tuple[int, int, int, bool]]) -> None:
    """In a process of its own: Triton is told to interpret before it is imported."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"} if device == "cpu" else None
    command = [sys.executable, "-c", CODE, device, repr(sizes)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch for Linux only")
@pytest.mark.slow
def test_states_and_gradients_are_those_of_a_loop() -> None:
    check("cpu", [(2, 1, 3, False), (70, 2, 5, False), (65, 3, 3, True)])


@pytest.mark.gpu
def test_states_and_gradients_are_those_of_a_loop_on_a_gpu() -> None:
    check("cuda", [(2, 1, 3, False), (600, 16, 48, False), (600, 16, 63, True), (40, 1000, 48, False)])
