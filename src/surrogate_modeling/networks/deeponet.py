"""DeepONets: a trunk reads the past window, a branch the controls, and their product over a width is the output.

Operator networks after Lu et al. 2021 (Nature Machine Intelligence 3). Which half is called trunk follows this
study: here the trunk is the encoder of the past, the branch the perceptron on the controls.

Shape letters: B batch, F feature, C control, P predicted, W width, D trunk size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate_modeling.config.models import DolConfig, DonConfig, DotConfig
from surrogate_modeling.networks.base import WindowNetwork
from surrogate_modeling.networks.layers import Encoder, lstm_outputs, perceptron, silence, sinusoidal_positions
from surrogate_modeling.networks.sizes import Sizes


class DeepONet(WindowNetwork):
    """DeepONet: out[p] = sum over w of relu(head(trunk(past)))[p, w] * branch(control)[p, w] + bias[p].

    Args:
        sizes: from the data.
        trunk: past window (B, in_len, F) -> one token per output row (B, out_len, D).
        trunk_dim: D.
        branch_dim: hidden size of the branch.
        branch_depth: its linear layers.
        width: W.
    """

    def __init__(
        self, sizes: Sizes, trunk: nn.Module, trunk_dim: int, branch_dim: int, branch_depth: int, width: int
    ) -> None:
        super().__init__(sizes)
        self.width = width
        self.trunk = trunk
        self.head = nn.Linear(trunk_dim, sizes.predicted * width)
        self.branch = perceptron(sizes.controls, branch_dim, sizes.predicted * width, branch_depth)
        self.bias = nn.Parameter(torch.zeros(sizes.predicted))

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F) and control (B, out_len, C) -> rows (B, out_len, P)."""
        # Unflattened before the product: the gradient of a sum over its view would be copied.
        trunk = torch.relu(self.head(self.trunk(past))).unflatten(-1, (-1, self.width))
        branch = self.branch(control).unflatten(-1, (-1, self.width))
        return (trunk * branch).sum(dim=-1) + self.bias

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training; their bias is."""
        silence(self.head, (columns[:, None] * self.width + torch.arange(self.width, device=columns.device)).flatten())


class TransformerTrunk(nn.Module):
    """Transformer encoder over the embedded past rows with positions; gives its last out_len tokens."""

    positions: Tensor

    def __init__(self, config: DotConfig, sizes: Sizes) -> None:
        super().__init__()
        self.out_len = sizes.out_len
        self.embedding = nn.Linear(sizes.features, config.trunk_dim)
        self.dropout = nn.Dropout(config.emb_dropout)
        self.encoder = Encoder(config.trunk_dim, config.trunk_depth, config.heads, config.fc_dim, config.dropout)
        self.norm = nn.LayerNorm(config.trunk_dim)
        self.register_buffer("positions", sinusoidal_positions(sizes.in_len, config.trunk_dim), persistent=False)

    def forward(self, past: Tensor) -> Tensor:
        """Past (B, in_len, F) -> tokens (B, out_len, D)."""
        tokens = self.dropout(self.embedding(past) + self.positions)
        return self.norm(self.encoder(tokens, self.out_len))


class LstmTrunk(nn.Module):
    """An LSTM (Hochreiter and Schmidhuber 1997) over the past rows; a token is the mean of its own and the last output.

    An LSTM output has not seen the rows after it: without the last one, all output rows but the last would be blind
    to the newest past rows. With out_len 1 the token is just the last output.
    """

    def __init__(self, config: DolConfig, sizes: Sizes) -> None:
        super().__init__()
        self.out_len = sizes.out_len
        # Dropout acts between layers: with one layer there is no place for it.
        dropout = config.dropout if config.trunk_depth > 1 else 0.0
        self.lstm = nn.LSTM(sizes.features, config.trunk_dim, config.trunk_depth, batch_first=True, dropout=dropout)

    def forward(self, past: Tensor) -> Tensor:
        """Past (B, in_len, F) -> tokens (B, out_len, D)."""
        outputs = lstm_outputs(self.lstm, past)
        return 0.5 * (outputs[:, -self.out_len :] + outputs[:, -1:])


class PerceptronTrunk(nn.Module):
    """Perceptron over the flattened past window, with one token per output row."""

    def __init__(self, config: DonConfig, sizes: Sizes) -> None:
        super().__init__()
        self.out_len = sizes.out_len
        inputs = sizes.in_len * sizes.features
        self.layers = perceptron(inputs, config.trunk_dim, sizes.out_len * config.trunk_dim, config.trunk_depth)

    def forward(self, past: Tensor) -> Tensor:
        """Past (B, in_len, F) -> tokens (B, out_len, D)."""
        return torch.relu(self.layers(past.flatten(1))).unflatten(-1, (self.out_len, -1))


def build_dot(config: DotConfig, sizes: Sizes) -> DeepONet:
    """DeepONet with a transformer trunk."""
    return _deeponet(config, sizes, TransformerTrunk(config, sizes))


def build_dol(config: DolConfig, sizes: Sizes) -> DeepONet:
    """DeepONet with an LSTM trunk."""
    return _deeponet(config, sizes, LstmTrunk(config, sizes))


def build_don(config: DonConfig, sizes: Sizes) -> DeepONet:
    """DeepONet with a perceptron trunk."""
    return _deeponet(config, sizes, PerceptronTrunk(config, sizes))


def _deeponet(config: DotConfig | DolConfig | DonConfig, sizes: Sizes, trunk: nn.Module) -> DeepONet:
    return DeepONet(sizes, trunk, config.trunk_dim, config.branch_dim, config.branch_depth, config.width)
