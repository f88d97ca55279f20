"""Modules that step a surrogate with the 90 % band around its rows, as :mod:`surrogate_modeling.deployment.stepping`.

The band widens with the distance from the start, so the state has one more value: the number of rows predicted so far.

Shape letters: B batch, C control, P predicted, R rows of a step, S state of the network, K knots, H predicted rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.stepping import Start
from surrogate_modeling.surrogate.band import BandScope, existing
from surrogate_modeling.surrogate.model import Surrogate


def edge_names(channels: Channels) -> tuple[str, ...]:
    """Names of the outputs of a band: ``<column>_lower`` of each predicted column, then ``<column>_upper``.

    Raises:
        UserError: a column has such a name.
    """
    names = tuple(f"{name}_{edge}" for edge in ("lower", "upper") for name in channels.predicted)
    if taken := [name for name in names if name in channels.units]:
        raise UserError(f"band: there is a column of the name {taken[0]!r}, which an output of the band would have")
    return names


class HalfWidth(nn.Module):
    """Module: half-width of the band (B, R, P), physical units.

    Args:
        surrogate: with a band.
        scope: what the band is to hold.
    """

    def __init__(self, surrogate: Surrogate, scope: BandScope) -> None:
        super().__init__()
        band, number = existing(surrogate.band, f"band={scope}: "), surrogate.scaling.number
        knots, growth = torch.from_numpy(band.knots).to(number), torch.from_numpy(band.growth_at(scope)).to(number)
        # The weight of a knot falls to 0 at its neighbours; before the first and beyond the last it stays 1.
        slope, end = 1 / knots.diff(), knots.new_zeros(1)
        self.knots, self.growth = nn.Buffer(knots), nn.Buffer(growth)
        self.left, self.right = nn.Buffer(torch.cat((end, slope))), nn.Buffer(torch.cat((slope, end)))
        self.factor = nn.Buffer(torch.from_numpy(band.factors(scope)).to(number))
        controls = surrogate.description.sizes.controls
        self.scale = nn.Buffer(surrogate.output_scaling.scale[controls:].abs().to(number))

    def forward(self, deviation: Tensor, row: Tensor) -> Tensor:
        """Deviation of the members (B, R, P), standardised, and the number of each row (B, R) from 0 -> (B, R, P)."""
        past = row[..., None].to(self.knots.dtype) - self.knots
        weight = torch.minimum(1 + past * self.left, 1 - past * self.right).clamp(0.0, 1.0)
        return self.factor * (deviation * self.scale + weight @ self.growth)


class CountingStart(nn.Module):
    """Module: given rows (B, in_len, G) in physical units -> state (B, S + 1), no row predicted yet."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__()
        self.start = Start(surrogate)

    def forward(self, past: Tensor) -> Tensor:
        """Given rows (B, in_len, G) in physical units -> state (B, S + 1)."""
        state = self.start(past)
        return torch.cat((state, torch.zeros_like(state[:, :1])), dim=-1)


class BandedStep(nn.Module):
    """Module: a step of rows with the band around them, physical units.

    Args:
        surrogate: with a band.
        scope: what the band is to hold.
    """

    def __init__(self, surrogate: Surrogate, scope: BandScope) -> None:
        super().__init__()
        self.half_width = HalfWidth(surrogate, scope)
        self.network, self.scaling, self.output = surrogate.network, surrogate.scaling, surrogate.output_scaling
        self.controls = surrogate.description.sizes.controls
        self.copies = existing(surrogate.band).of_copies

    def forward(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """State (B, S + 1) and control (B, C) or (B, R, C) -> next state, and rows, lower and upper edge.

        Each of the last three is (B, P) or (B, R, P).
        """
        single = control.ndim == 2
        control = self.scaling.standardise(control, slice(0, self.controls))
        if not single:
            return self.move(state, control)
        state, rows, lower, upper = self.move(state, control[:, None])
        return state, rows[:, 0], lower[:, 0], upper[:, 0]

    def move(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same of a state (B, S + 1) and standardised controls (B, R, C)."""
        counted, steps = state[:, -1:], control.shape[1]
        moved = self.network.advance_spread(state[:, :-1], control, copies=self.copies)
        rows = self.output.restore(moved[1], slice(self.controls, None))
        half = self.half_width(moved[2], counted + torch.arange(steps, dtype=state.dtype, device=state.device))
        return torch.cat((moved[0], counted + steps), dim=-1), rows, rows - half, rows + half


class BandedFreeRun(nn.Module):
    """Module of the whole free run with its band, see :class:`~surrogate_modeling.deployment.stepping.FreeRun`.

    Args:
        surrogate: with a band.
        scope: what the band is to hold.
    """

    def __init__(self, surrogate: Surrogate, scope: BandScope) -> None:
        super().__init__()
        self.start, self.step = CountingStart(surrogate), BandedStep(surrogate, scope)
        self.scaling, self.sizes = surrogate.scaling, surrogate.description.sizes

    def forward(self, initial: Tensor, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Initial rows (B, in_len, P) and controls (B, T, C), physical units -> rows, lower and upper (B, H, P)."""
        return self.run(torch.cat((controls[:, : self.sizes.in_len], initial), dim=-1), controls)

    def run(self, past: Tensor, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Given rows (B, in_len, G) and controls (B, T, C), physical units -> rows, lower and upper (B, H, P)."""
        sizes = self.sizes
        control = self.scaling.standardise(controls[:, sizes.in_len :], slice(0, sizes.controls))
        _, banded = scan(self._advance, self.start(past), control.transpose(0, 1))
        rows, lower, upper = banded.transpose(0, 1).split(sizes.predicted, dim=-1)
        return rows, lower, upper

    def _advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        state, *banded = self.step.move(state, control[:, None])
        return state, torch.cat(banded, dim=-1)[:, 0]


class BandedFreeRunFromControls(BandedFreeRun):
    """The same of a surrogate with ``settings.start=rest``, from controls (B, T, C) alone."""

    def forward(self, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        """Controls (B, T, C), physical units -> rows, lower and upper (B, T - 1, P)."""
        return self.run(controls[:, : self.sizes.in_len], controls)
