"""Baseline LSTM network.

Shape letters: B batch, F feature, C control, P predicted, D state size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from surrogate_modeling.config.models import LstmConfig
from surrogate_modeling.networks.base import WindowNetwork
from surrogate_modeling.networks.layers import lstm_outputs, silence
from surrogate_modeling.networks.sizes import Sizes


class BaselineLstm(WindowNetwork):
    """LSTM over the past rows; its last state, joined with each embedded control row, gives that output row."""

    def __init__(self, config: LstmConfig, sizes: Sizes) -> None:
        super().__init__(sizes)
        # Dropout acts between layers: with one layer there is no place for it.
        dropout = config.dropout if config.depth > 1 else 0.0
        self.lstm = nn.LSTM(sizes.features, config.dim, config.depth, batch_first=True, dropout=dropout)
        self.control_embedding = nn.Linear(sizes.controls, config.dim)
        self.head = nn.Sequential(
            nn.Linear(2 * config.dim, config.dim),
            nn.ReLU(),
            nn.LayerNorm(config.dim),
            nn.Linear(config.dim, sizes.predicted),
        )

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past (B, in_len, F), control (B, out_len, C) -> (B, out_len, P)."""
        state = lstm_outputs(self.lstm, past)[:, -1]
        rows = state[:, None].expand(-1, control.shape[1], -1)
        return self.head(torch.cat((rows, self.control_embedding(control)), dim=-1))

    def silence(self, columns: Tensor) -> None:
        """Make the output of predicted columns (K,) zero, before training."""
        silence(cast(nn.Linear, self.head[-1]), columns)
