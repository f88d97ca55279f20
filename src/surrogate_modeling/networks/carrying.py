"""Any network as one that carries a state from row to row: a window network's state is its past window.

Shape letters: B batch, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate_modeling.config import UserError
from surrogate_modeling.networks.base import Network, StateNetwork


def first_state(network: Network, past: Tensor) -> Tensor:
    """State (B, S) after a past window (B, in_len, F).

    Raises:
        UserError: the network predicts several rows at once, from the controls of all of them.
    """
    if isinstance(network, StateNetwork):
        return network.encode(past)
    if network.rows_per_call != 1:
        raise UserError(
            f"networks that predict settings.out_len={network.rows_per_call} rows at once cannot be exported row by "
            "row in an ensemble or a stack; train with settings.out_len=1, or with settings.ensemble=1 and "
            "settings.stack=False"
        )
    return past.reshape(past.shape[0], past.shape[1] * past.shape[2])


def next_state(network: Network, state: Tensor, control: Tensor, in_len: int) -> tuple[Tensor, Tensor]:
    """State (B, S) and control row (B, C) -> the next state and the row (B, P)."""
    if isinstance(network, StateNetwork):
        return network.advance(state, control)
    features = state.shape[1] // in_len
    row = network(state.reshape(state.shape[0], in_len, features), control[:, None])[:, 0]
    return torch.cat((state[:, features:], control, row), dim=-1), row
