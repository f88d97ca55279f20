"""A surrogate as the functions that other tools call step by step.

Window networks (``rows_per_call`` is a number) are asked for the next rows with the past window every time. State
networks (``rows_per_call`` is None) encode the past window once, and carry a state from row to row.

Shape letters: B batch, F feature (C control, then P predicted), R rows of a call, S state.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from surrogate_modeling.networks import Network


class Encode(nn.Module):
    """Past window of a state network (B, in_len, F) -> state (B, S), standardised."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, past: Tensor) -> Tensor:
        """See the class."""
        return self.network.encode(past)


class Advance(nn.Module):
    """State (B, S) and control row (B, C) -> next state and predicted row (B, P), standardised."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.network.advance(state, control)
