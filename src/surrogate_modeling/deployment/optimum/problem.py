"""What a schedule is to reach and to keep, as configured: checked against the columns of a surrogate.

Shape letters: B schedules, T all rows, H predicted rows, C control, P predicted column, F column (C, then P).
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import as_typed, level_text, names_and_rest
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.config.schema import is_positive
from surrogate_modeling.networks.joint import root
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
SIGNS = {"minimise": 1.0, "maximise": -1.0}
HELD_ROWS = 20


@dataclass(frozen=True)
class Term:
    """One part of the objective: a number of a column's trajectory that is to be small or large, or a value to stay at.

    Attributes:
        column: its name.
        place: of the column among the controls, then the predicted ones.
        sign: 1 to minimise, -1 to maximise.
        what: last, mean, least or largest; near: the root mean square distance from ``value``.
        value: that the column is to stay near.
    """

    column: str
    place: int
    sign: float
    what: str
    value: float = math.nan

    def of(self, rows: Tensor) -> Tensor:
        """The number (B,) of the predicted rows of all columns (B, H, F), in the column's unit."""
        values = rows[..., self.place]
        if self.what == "last":
            return values[:, -1]
        if self.what == "mean":
            return values.mean(dim=1)
        if self.what == "near":
            # A start may lie exactly there.
            return root((values - self.value).square().mean(dim=1))
        return values.amax(dim=1) if self.what == "largest" else values.amin(dim=1)

    def __str__(self) -> str:
        if self.what == "near":
            return f"{self.column}: distance from {as_typed(self.value)}"
        return f"{self.column}: {self.what}"


WHATS = ("last", "mean", "least", "largest")


@dataclass(frozen=True)
class Bound:
    """Least and largest value that a predicted column may take; infinite where there is none."""

    column: str
    place: int
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == -math.inf:
            return f"{self.column} at most {as_typed(self.high)}"
        upper = "" if self.high == math.inf else f", at most {as_typed(self.high)}"
        return f"{self.column} at least {as_typed(self.low)}{upper}"


@dataclass(frozen=True)
class Problem:
    """What is searched, and what must hold.

    Attributes:
        terms: of the objective, each divided by the training standard deviation of its column.
        bounds: on predicted columns.
        low: lowest value of each control (C,).
        high: highest.
        rate: most that each control (C,) changes per step of the surrogate; infinite for none.
        free: whether each control (C,) is searched.
        constant: whether each control (C,) is a parameter, which has one value for all rows.
        held: rows for which a control keeps its value, or moves in one ramp.
        after: predicted rows before bounds count.
    """

    terms: tuple[Term, ...]
    bounds: tuple[Bound, ...]
    low: Tensor
    high: Tensor
    rate: Tensor
    free: Tensor
    constant: Tensor
    held: int
    after: int = 0


def problem_of(config: OptimiseConfig, surrogate: Surrogate) -> Problem:
    """The problem as configured.

    Raises:
        UserError: a column that is not there, a text that is no part of an objective, limits that are none or leave the
            training range, or nothing to search.
    """
    description = surrogate.description
    channels, step = description.channels, description.step
    names = (*channels.controls, *channels.predicted)
    terms = tuple(_term(column, value, names) for column, value in (config.objective or {}).items())
    bounds = tuple(
        Bound(column, _place(column, channels.predicted, f"bounds.{column}", "predicted columns"), *_pair(value, key))
        for column, value in (config.bounds or {}).items()
        if (key := f"bounds.{column}={value}")
    )
    low, high = _limits(config, surrogate)
    rate = torch.full_like(low, math.inf)
    for name, value in (config.rates or {}).items():
        if not is_positive(value):
            raise UserError(f"rates.{name}={value}: must be more than 0 and finite")
        rate[_place(name, channels.controls, f"rates.{name}", "controls")] = value * step
    held = HELD_ROWS if config.hold is None else max(1, round(config.hold / step))
    free, after = _free(config, surrogate), math.ceil(config.after / step)
    return Problem(terms, bounds, low, high, rate, free, _constant(channels), held, after)


def _term(column: str, value: Any, names: Sequence[str]) -> Term:
    key = f"objective.{column}={value}"
    place = _place(column, names, key, "columns")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Term(column, place, 1.0, "near", float(value))
    words = str(value).split()
    if len(words) != 2 or words[0] not in SIGNS or words[1] not in WHATS:
        raise UserError(f"{key}: must be {' or '.join(SIGNS)}, then {', '.join(WHATS)}; or a number to stay near")
    return Term(column, place, SIGNS[words[0]], words[1])


def _place(name: str, names: Sequence[str], key: str, kind: str) -> int:
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    raise UserError(f"{key}: not among the {kind} of this surrogate; {hint}")


def _pair(value: Any, key: str) -> tuple[float, float]:
    """Lower and upper edge; infinite where null is given."""
    if not isinstance(value, list) or len(value) != 2 or value == [None, None]:
        raise UserError(f"{key}: must be [least, largest], null for no bound on one side")
    try:
        low = -math.inf if value[0] is None else float(value[0])
        high = math.inf if value[1] is None else float(value[1])
    except (TypeError, ValueError):
        raise UserError(f"{key}: must be two numbers") from None
    if not low <= high:
        raise UserError(f"{key}: the first must not be more than the second")
    return low, high


def _limits(config: OptimiseConfig, surrogate: Surrogate) -> tuple[Tensor, Tensor]:
    """Lowest and highest value of each control (C,)."""
    controls = surrogate.description.channels.controls
    low, high = (
        edge[: len(controls)].cpu().to(surrogate.scaling.number).clone()
        for edge in (surrogate.scaling.low, surrogate.scaling.high)
    )
    for name, value in (config.limits or {}).items():
        key = f"limits.{name}={value}"
        i = _place(name, controls, key, "controls")
        lowest, highest = _pair(value, key)
        lowest = float(low[i]) if lowest == -math.inf else lowest
        highest = float(high[i]) if highest == math.inf else highest
        edges = " to ".join(level_text(float(edge[i]), float(surrogate.scaling.scale[i]), 6) for edge in (low, high))
        if not lowest <= highest:
            raise UserError(f"{key}: the training range is {edges}")
        # What the file of the cases rounded is no excursion.
        room = 1e-6 * max(abs(float(low[i])), abs(float(high[i])))
        if not config.beyond and not (low[i] - room <= lowest and highest <= high[i] + room):
            raise UserError(
                f"{key}: leaves the training range, {edges}, where the surrogate knows nothing; beyond=true allows it"
            )
        low[i], high[i] = lowest, highest
    return low, high


def _free(config: OptimiseConfig, surrogate: Surrogate) -> Tensor:
    """Whether each control (C,) is searched: no parameter that is not named, nor what has no values between."""
    channels = surrogate.description.channels
    switches = [channels.controls[i] for i in surrogate.training_range.switches.places]
    for key, named in (("limits", config.limits), ("rates", config.rates), ("parameters", config.parameters)):
        if asked := [name for name in named or () if name in switches]:
            raise UserError(
                f"{key}: {asked[0]!r} is on or off, or a mode, in the training cases, and stays as in the case: there "
                f"is nothing between to search; leave it out of {key}, and change the case to try another state"
            )
    free = torch.ones(len(channels.controls), dtype=torch.bool)
    free[list(channels.parameter_indices)] = False
    for name in config.parameters:
        _place(name, channels.parameters, f"parameters={name}", "parameters")
        free[channels.controls.index(name)] = True
    for name in config.fixed:
        free[_place(name, channels.controls, f"fixed={name}", "controls")] = False
    if kept := [name for name in switches if free[channels.controls.index(name)]]:
        log.info("as in the case, since they are on or off or modes: %s", names_and_rest(kept, 10))
        free[[channels.controls.index(name) for name in kept]] = False
    if not free.any():
        raise UserError("fixed: every control is fixed, on or off, or a mode: nothing is left to search")
    return free


def _constant(channels: Channels) -> Tensor:
    constant = torch.zeros(len(channels.controls), dtype=torch.bool)
    constant[list(channels.parameter_indices)] = True
    return constant
