"""Layers and helpers shared by several networks.

Shape letters: B batch, L tokens, D token size.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.networks.kernels import triton_form

# From so many windows on, and up to such a state, matrix products row by row are faster than cuDNN's LSTM.
MANY_WINDOWS, SMALL_STATE = 2048, 128


def perceptron(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """A perceptron of ``depth`` linear layers with ReLU between them; ``depth`` 1 is a single linear map."""
    sizes = [inputs, *[hidden] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(sizes[i], sizes[i + 1])] + ([nn.ReLU()] if i < depth - 1 else [])
    return nn.Sequential(*layers)


def silence(layer: nn.Linear, outputs: Tensor) -> None:
    """Make some outputs (K,) of a layer zero."""
    with torch.no_grad():
        layer.weight[outputs] = 0.0
        layer.bias[outputs] = 0.0


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """Position table (L, D) of Vaswani et al. 2017, section 3.5; an odd D drops the last cosine."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
    table = torch.stack((torch.sin(position * rate), torch.cos(position * rate)), dim=-1)
    return table.flatten(1)[:, :dim].contiguous()


def gradients_allowed(layer: nn.RNNBase, values: Tensor) -> AbstractContextManager[None]:
    """Context in which a recurrent layer has gradients in evaluation mode too; cuDNN gives none there."""
    needed = values.is_cuda and torch.is_grad_enabled() and not layer.training
    return torch.backends.cudnn.flags(enabled=False) if needed else nullcontext()


def lstm_outputs(lstm: nn.LSTM, rows: Tensor) -> Tensor:
    """Outputs (B, L, D) of the last LSTM layer over rows (B, L, F) of many windows.

    Over thousands of short windows in float32 cuDNN takes two to three times as long for a small state as its matrix
    products one by one (on an H200, 10,000 windows and a state of 64: 4.7 against 1.8 ms); there, without gradients,
    each layer runs row by row in operations of torch.
    """
    small = lstm.hidden_size <= SMALL_STATE and not torch.is_autocast_enabled("cuda")
    one_by_one = rows.is_cuda and len(rows) >= MANY_WINDOWS and small
    if torch.is_grad_enabled() or lstm.training or not one_by_one:
        with gradients_allowed(lstm, rows):
            return cast(Tensor, lstm(rows)[0])
    outputs = list(rows.unbind(1))
    for weights in lstm.all_weights:
        state = memory = rows.new_zeros(len(rows), lstm.hidden_size)
        for t, row in enumerate(outputs):
            state, memory = torch.lstm_cell(row, (state, memory), *weights)
            outputs[t] = state
    return torch.stack(outputs, dim=1)


class EncoderLayer(nn.Module):
    """Post-norm ReLU transformer layer (Vaswani et al. 2017) that computes only the rows needed.

    Same mathematics as ``torch.nn.TransformerEncoderLayer(norm_first=False)``, whose last layer would also compute
    queries, feed-forward and norms for rows that are then thrown away.
    """

    def __init__(self, dim: int, heads: int, fc_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.fc_in, self.fc_out = nn.Linear(dim, fc_dim), nn.Linear(fc_dim, dim)
        self.norm_attention, self.norm_fc = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self._init_attention(dim)

    def _init_attention(self, dim: int) -> None:
        # The bounds of torch.nn.MultiheadAttention, which sees query, key and value as one (3 D, D) matrix.
        bound = math.sqrt(6.0 / (dim + 3 * dim))
        for projection in (self.query, self.key_value):
            nn.init.uniform_(projection.weight, -bound, bound)
            nn.init.zeros_(projection.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor, rows: int) -> Tensor:
        """Tokens (B, L, D) -> the last ``rows`` of the output (B, rows, D)."""
        read = tokens[:, -rows:]
        attended = self._drop(self.out(self._attend(read, tokens)))
        read = self.norm_attention(read + attended)
        forward = self._drop(self.fc_out(self._drop(torch.relu(self.fc_in(read)))))
        return self.norm_fc(read + forward)

    def _attend(self, read: Tensor, tokens: Tensor) -> Tensor:
        query, key_value = self.query(read), self.key_value(tokens)
        dropout = self.dropout if self.training else 0.0
        kernels = None if dropout else triton_form("attention_triton", query)
        if kernels is not None and kernels.supports(query, key_value, self.heads):
            return cast(Tensor, kernels.attend(query, key_value, self.heads))
        query = self._split(query)
        key, value = key_value.chunk(2, dim=-1)
        mixed = fn.scaled_dot_product_attention(query, self._split(key), self._split(value), dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _drop(self, tokens: Tensor) -> Tensor:
        return fn.dropout(tokens, self.dropout, self.training) if self.dropout else tokens


class Encoder(nn.Module):
    """Stack of :class:`EncoderLayer` whose last layer computes the last ``rows`` tokens only."""

    def __init__(self, dim: int, depth: int, heads: int, fc_dim: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, fc_dim, dropout) for _ in range(depth))

    def forward(self, tokens: Tensor, rows: int) -> Tensor:
        """Tokens (B, L, D) -> (B, rows, D)."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            tokens = layer(tokens, rows if i == last else tokens.shape[1])
        return tokens
