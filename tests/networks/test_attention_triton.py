"""Attention over a few tokens against its definition; without a GPU in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import sys
import torch
from surrogate_modeling.networks import attention_triton

def check(batch, asked, length, heads, size, dtype, tolerance):
    random = torch.Generator().manual_seed(length)
    query = torch.randn(batch, asked, heads * size, generator=random)
    key_value = torch.randn(batch, length, 2 * heads * size, generator=random)
    grad = torch.randn(batch, asked, heads * size, generator=random)
    given = [part.to(getattr(torch, dtype)) for part in (query, key_value, grad)]
    exact = [part.double().requires_grad_() for part in given[:2]]
    q, (k, v) = exact[0], exact[1].chunk(2, dim=-1)
    q, k, v = (part.unflatten(-1, (heads, size)).transpose(1, 2) for part in (q, k, v))
    truth = (torch.softmax(q @ k.transpose(-1, -2) / size**0.5, -1) @ v).transpose(1, 2).flatten(2)
    wanted = torch.autograd.grad(truth, exact, given[2].double())
    mine = [part.to(sys.argv[1]).requires_grad_() for part in given[:2]]
    found = attention_triton.attend(*mine, heads)
    torch.testing.assert_close(found.cpu().double(), truth, rtol=tolerance, atol=tolerance)
    for got, want in zip(torch.autograd.grad(found, mine, given[2].to(sys.argv[1])), wanted):
        torch.testing.assert_close(got.cpu().double(), want, rtol=tolerance, atol=tolerance)

for sizes in eval(sys.argv[2]):
    check(*sizes)
"""


def check(device: str, sizes: list[tuple[int, int, int, int, int, str, float]]) -> None:
    """In a process of its own: Triton is told to interpret before it is imported."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"} if device == "cpu" else None
    command = [sys.executable, "-c", CODE, device, repr(sizes)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch for Linux only")
def test_rows_and_gradients_are_those_of_the_definition() -> None:
    check("cpu", [(2, 10, 10, 2, 16, "float32", 1e-5), (1, 1, 17, 1, 32, "float32", 1e-5)])


@pytest.mark.gpu
def test_rows_and_gradients_are_those_of_the_definition_on_a_gpu() -> None:
    check(
        "cuda",
        [
            (100, 10, 10, 8, 32, "float32", 1e-4),
            (100, 1, 10, 8, 32, "float32", 1e-4),
            (50, 11, 11, 2, 128, "float32", 1e-4),
            (50, 20, 20, 2, 64, "float32", 1e-4),
            (100, 10, 10, 8, 32, "bfloat16", 3e-2),
            (50, 1, 11, 2, 128, "bfloat16", 3e-2),
        ],
    )
