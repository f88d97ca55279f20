"""Baseline transformer network: past rows and control rows are tokens of one encoder.

Shape letters: B batch, F feature, C control, P predicted, D token size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from surrogate_modeling.config.models import BtConfig
from surrogate_modeling.networks.base import WindowNetwork
from surrogate_modeling.networks.layers import Encoder, silence, sinusoidal_positions
from surrogate_modeling.networks.sizes import Sizes


class BaselineTransformer(WindowNetwork):
    """Transformer encoder that reads the output from the control tokens, which attend to every past row."""

    positions: Tensor

    def __init__(self, config: BtConfig, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.past_embedding = nn.Linear(sizes.features, config.dim)
        self.control_embedding = nn.Linear(sizes.controls, config.dim)
        self.dropout = nn.Dropout(config.emb_dropout)
        self.encoder = Encoder(config.dim, config.depth, config.heads, config.fc_dim, config.dropout)
        self.head = nn.Sequential(nn.LayerNorm(config.dim), nn.Linear(config.dim, sizes.predicted))
        positions = sinusoidal_positions(sizes.in_len + sizes.out_len, config.dim)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F), control (B, out_len, C) -> (B, out_len, P)."""
        tokens = torch.cat((self.past_embedding(past), self.control_embedding(control)), dim=1)
        tokens = self.encoder(self.dropout(tokens + self.positions), control.shape[1])
        return self.head(tokens)

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training."""
        silence(cast(nn.Linear, self.head[-1]), columns)
