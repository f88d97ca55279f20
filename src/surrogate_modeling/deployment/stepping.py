"""A surrogate as the functions that other tools call step by step.

Window networks (``rows_per_call`` is a number) are asked for the next rows with the past window every time. State
networks (``rows_per_call`` is None) encode the past window once, and carry a state from row to row.

Shape letters: B batch, F feature (C control, then P predicted), R rows of a call, S state.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from surrogate_modeling.networks import Network
from surrogate_modeling.surrogate.model import Surrogate


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


class WindowStep(nn.Module):
    """Past window (B, in_len, F) and controls (B, R, C) -> the next rows (B, R, P), physical units in and out."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network, self.scaling = surrogate.network, surrogate.scaling
        self.controls = surrogate.description.sizes.controls

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """See the class."""
        control = self.scaling.standardise(control, slice(0, self.controls))
        predicted = self.network(self.scaling.standardise(past), control)
        return self.scaling.restore(predicted, slice(self.controls, None))


class StateStart(nn.Module):
    """Past window (B, in_len, F) in physical units -> the state (B, S) of a state network."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network: Any = surrogate.network
        self.scaling = surrogate.scaling

    def forward(self, past: Tensor) -> Tensor:
        """See the class."""
        return self.network.encode(self.scaling.standardise(past))


class StateStep(nn.Module):
    """State (B, S) and control row (B, C) -> next state (B, S) and row (B, P); the rows in physical units."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network: Any = surrogate.network
        self.scaling = surrogate.scaling
        self.controls = surrogate.description.sizes.controls

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        control = self.scaling.standardise(control, slice(0, self.controls))
        state, predicted = self.network.advance(state, control)
        return state, self.scaling.restore(predicted, slice(self.controls, None))


class Trajectory(nn.Module):
    """The free run as one graph: initial (B, in_len, P) and controls (B, T, C) -> (B, T - in_len, P).

    The loop over rows is an operation of the graph (``scan``), so that T is free when the graph runs. Python's loop in
    :meth:`Surrogate.free_run` would be unrolled to one fixed T.
    """

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network: Any = surrogate.network
        self.scaling = surrogate.scaling
        self.sizes = surrogate.description.sizes

    def forward(self, initial: Tensor, controls: Tensor) -> Tensor:
        """See the class."""
        sizes, rows = self.sizes, self.network.rows_per_call
        control = self.scaling.standardise(controls, slice(0, sizes.controls))
        given = self.scaling.standardise(initial, slice(sizes.controls, None))
        past = torch.cat((control[:, : sizes.in_len], given), dim=-1)
        ahead = control[:, sizes.in_len :].transpose(0, 1)
        if rows is None:
            _, predicted = scan(self._advance, self.network.encode(past), ahead)
        else:
            _, predicted = scan(self._slide, past, ahead)
        return self.scaling.restore(predicted.transpose(0, 1), slice(sizes.controls, None))

    def _advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.advance(state, control)

    def _slide(self, past: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        predicted = self.network(past, control[:, None])
        row = torch.cat((control[:, None], predicted), dim=-1)
        return torch.cat((past[:, 1:], row), dim=1), predicted[:, 0]
