"""Modules that step a surrogate: one encodes the past window to a state, the other advances the state by rows.

Shape letters: B batch, F feature (C control, then P predicted), G columns of a given row (F, or C with
``settings.start=rest``), R rows of a step, S state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.networks import Network
from surrogate_modeling.surrogate.first_row import start_window
from surrogate_modeling.surrogate.model import Surrogate


def require_single_rows(surrogate: Surrogate, key: str) -> None:
    """Refuse a surrogate that cannot be run row by row.

    Args:
        surrogate: to be exported.
        key: that asks for it, for the message.

    Raises:
        UserError: the surrogate predicts several rows together.
    """
    if (rows := surrogate.network.rows_per_step) > 1:
        raise UserError(
            f"{key}: this surrogate predicts settings.out_len={rows} rows at once, from the controls of all of them, "
            "and cannot be run row by row; train one with settings.out_len=1, or use format=onnx with form=step"
        )


class Encode(nn.Module):
    """Module: past window (B, in_len, F) -> state (B, S), standardised."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, past: Tensor) -> Tensor:
        """Past window (B, in_len, F) -> state (B, S), standardised."""
        return self.network.encode(past)


class Advance(nn.Module):
    """Module: state (B, S) and controls (B, R, C) -> next state and predicted rows (B, R, P), standardised."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and predicted rows (B, R, P), standardised."""
        return self.network.advance(state, control)


class AdvanceSpread(nn.Module):
    """Module: state (B, S) and controls (B, R, C) -> next state, rows and the members' deviation, standardised.

    Args:
        network: to be moved.
        copies: the spread within an ensemble, alone or part of a mixture, counts too.
    """

    def __init__(self, network: Network, copies: bool) -> None:
        super().__init__()
        self.network, self.copies = network, copies

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state, rows and deviation (B, R, P), standardised."""
        return self.network.advance_spread(state, control, copies=self.copies)


class Start(nn.Module):
    """Module: given rows (B, in_len, G) in physical units -> state (B, S)."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network, self.scaling, self.first_row = surrogate.network, surrogate.scaling, surrogate.first_row

    def forward(self, past: Tensor) -> Tensor:
        """Given rows (B, in_len, G) in physical units -> state (B, S)."""
        return self.network.encode(start_window(past, self.scaling, self.first_row))


class Step(nn.Module):
    """Module: state (B, S) and the control (B, C) of a row -> next state (B, S) and the row (B, P), in physical units.

    Of a surrogate that predicts R > 1 rows together: controls (B, R, C) -> rows (B, R, P).
    """

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.network, self.scaling, self.output = surrogate.network, surrogate.scaling, surrogate.output_scaling
        self.controls = surrogate.description.sizes.controls

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and control (B, C) or (B, R, C) -> next state (B, S) and rows (B, P) or (B, R, P)."""
        single = control.ndim == 2
        control = self.scaling.standardise(control, slice(0, self.controls))
        state, rows = self.network.advance(state, control[:, None] if single else control)
        rows = self.output.restore(rows, slice(self.controls, None))
        return state, rows[:, 0] if single else rows


class FreeRun(nn.Module):
    """Module of the whole free run: initial (B, in_len, P) and controls (B, T, C) -> (B, T - in_len, P).

    The loop over rows is an operation of the graph (``scan``), so that T is free when the graph runs. Python's loop in
    :meth:`Surrogate.free_run` would be unrolled to one fixed T.
    """

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.start, self.network = Start(surrogate), surrogate.network
        self.scaling, self.output = surrogate.scaling, surrogate.output_scaling
        self.sizes = surrogate.description.sizes

    def forward(self, initial: Tensor, controls: Tensor) -> Tensor:
        """Initial rows (B, in_len, P) and controls (B, T, C) in physical units -> rows (B, T - in_len, P)."""
        return self.run(torch.cat((controls[:, : self.sizes.in_len], initial), dim=-1), controls)

    def run(self, past: Tensor, controls: Tensor) -> Tensor:
        """Given rows (B, in_len, G) and controls (B, T, C) in physical units -> rows (B, T - in_len, P)."""
        sizes = self.sizes
        control = self.scaling.standardise(controls[:, sizes.in_len :], slice(0, sizes.controls))
        _, predicted = scan(self._advance, self.start(past), control.transpose(0, 1))
        return self.output.restore(predicted.transpose(0, 1), slice(sizes.controls, None))

    def _advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        state, rows = self.network.advance(state, control[:, None])
        return state, rows[:, 0]


class FreeRunFromControls(FreeRun):
    """Module of the whole free run of a surrogate with ``settings.start=rest``: controls (B, T, C) -> (B, T - 1, P)."""

    def forward(self, controls: Tensor) -> Tensor:  # type: ignore[override]
        """Controls (B, T, C) in physical units -> rows (B, T - 1, P)."""
        return self.run(controls[:, : self.sizes.in_len], controls)
