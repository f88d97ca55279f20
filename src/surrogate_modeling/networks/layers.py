"""Parts that several networks share.

Shape letters: B batch, L tokens, D token size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


def perceptron(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """``depth`` linear layers with ReLU between them; ``depth`` 1 is a single linear map."""
    sizes = [inputs, *[hidden] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(sizes[i], sizes[i + 1])] + ([nn.ReLU()] if i < depth - 1 else [])
    return nn.Sequential(*layers)


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """Position table (L, D) of Vaswani et al. 2017, section 3.5; an odd D drops the last cosine."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
    table = torch.stack((torch.sin(position * rate), torch.cos(position * rate)), dim=-1)
    return table.flatten(1)[:, :dim].contiguous()


class EncoderLayer(nn.Module):
    """Post-norm ReLU transformer layer (Vaswani et al. 2017) that computes only the rows somebody reads.

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
        query = self._split(self.query(read))
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        dropout = self.dropout if self.training else 0.0
        mixed = fn.scaled_dot_product_attention(query, self._split(key), self._split(value), dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _drop(self, tokens: Tensor) -> Tensor:
        return fn.dropout(tokens, self.dropout, self.training) if self.dropout else tokens


class Encoder(nn.Module):
    """A stack of :class:`EncoderLayer` whose last layer computes the last ``rows`` tokens only."""

    def __init__(self, dim: int, depth: int, heads: int, fc_dim: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, fc_dim, dropout) for _ in range(depth))

    def forward(self, tokens: Tensor, rows: int) -> Tensor:
        """Tokens (B, L, D) -> (B, rows, D)."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            tokens = layer(tokens, rows if i == last else tokens.shape[1])
        return tokens
