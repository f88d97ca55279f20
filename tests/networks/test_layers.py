"""The selective encoder against PyTorch's own, and positions against the formula of the paper."""

import math

import pytest
import torch
from plain import torch_encoder
from torch import nn

from surrogate_modeling.networks.layers import Encoder, perceptron, sinusoidal_positions


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("rows", [1, 4])
def test_encoder_equals_the_plain_form(depth: int, rows: int) -> None:
    torch.manual_seed(0)
    encoder = Encoder(12, depth, 3, 20, dropout=0.0)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    tokens = torch.randn(5, 9, 12)
    # Training mode: in evaluation PyTorch takes a fused road of its own.
    plain = torch_encoder(encoder, 12, 3, 20).train()(tokens)[:, -rows:]
    torch.testing.assert_close(encoder(tokens, rows), plain, rtol=1e-5, atol=1e-5)


def test_encoder_gradients_equal_the_plain_form() -> None:
    torch.manual_seed(1)
    encoder = Encoder(8, 2, 2, 16, dropout=0.0)
    tokens = torch.randn(3, 6, 8, requires_grad=True)
    (ours,) = torch.autograd.grad(encoder(tokens, 1).pow(2).sum(), tokens)
    (theirs,) = torch.autograd.grad(torch_encoder(encoder, 8, 2, 16).train()(tokens)[:, -1:].pow(2).sum(), tokens)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dim", [6, 7])
def test_positions_follow_the_formula(dim: int) -> None:
    table = sinusoidal_positions(5, dim)
    assert table.shape == (5, dim)
    for position in range(5):
        for i in range(dim):
            angle = position / 10000 ** ((i - i % 2) / dim)
            assert float(table[position, i]) == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-6)


def test_perceptron_counts_linear_layers() -> None:
    assert [type(part).__name__ for part in perceptron(3, 4, 5, 1)] == ["Linear"]
    assert [type(part).__name__ for part in perceptron(3, 4, 5, 3)] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
