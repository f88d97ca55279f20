"""Candidates: schedules that could be simulated next, each made from its number alone.

They come from the cases that a simulator would make, or from ranges that the user gives and the controls of training
cases, recombined: what one case did with one control beside what another did with the next.

Shape letters: T rows of a schedule, C controls, K rows on the surrogate's step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.grid import decimate
from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.generation.cases_plan import CasesPlan
from surrogate_modeling.generation.planned_dataset import require_known
from surrogate_modeling.generation.signals import input_family, limit_rate, make_inputs
from surrogate_modeling.generation.simulator import CaseTable, PlanError, Simulator, case_name
from surrogate_modeling.planning.expressions import Constraint
from surrogate_modeling.surrogate.description import Description

# Candidates that are made, at most, for each that is wanted.
TRIES = 20
# Apart from the streams of planned inputs, which are drawn from seed, number and place alone: a schedule that took the
# same bits would start late in a case wherever the user's range is drawn high. Not 0, which numpy does not tell apart.
STREAM = 1
# A rate is kept if it is exceeded by rounding only.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Candidate:
    """One schedule.

    Attributes:
        name: of its file, without the ending: that of the case which a simulator makes of it.
        number: of the case of a simulator, or of the candidate.
        origin: what it was made of, for people.
        time: (T,) [s].
        controls: (T, C) in the surrogate's units and order.
        rows: (K, C) the same on the surrogate's step.
    """

    name: str
    number: int
    origin: str
    time: np.ndarray
    controls: np.ndarray
    rows: np.ndarray


class Source(Protocol):
    """Makes the candidate of a number."""

    def make(self, number: int) -> Candidate:
        """The candidate of a number, 1 or above."""
        ...


class SimulatorCases:
    """Cases that a simulator would make; what a feedback makes of a control is not known before it is run.

    Args:
        simulator: of the cases.
        description: of the surrogate, whose controls they must have.
        first: number of the case that is candidate 1.

    Raises:
        UserError: controls or units that do not fit, or a schedule that cannot be made.
    """

    def __init__(self, simulator: Simulator, description: Description, first: int) -> None:
        self.simulator, self.description, self.first = simulator, description, first
        table, channels = self._schedule(first), description.channels
        names = tuple(table.units)
        if missing := [name for name in channels.controls if name not in names]:
            raise UserError(f"dataset: makes no control {missing[0]!r} of the surrogate; it has {', '.join(names)}")
        self.places = [names.index(name) for name in channels.controls]
        try:
            changes = [conversion(table.units[name], channels.units[name]) for name in channels.controls]
        except UnitError as error:
            raise UserError(f"dataset: its controls are not those of the surrogate: {error}") from None
        self.factor, self.offset = np.array(changes).T

    def make(self, number: int) -> Candidate:
        """The schedule of a case.

        Raises:
            UserError: it cannot be made.
        """
        at = self.first + number - 1
        table = self._schedule(at)
        controls = self.factor * table.values[:, self.places] + self.offset
        what = f"{', '.join(table.remarks)}, case {at}" if table.remarks else f"case {at}"
        rows = on_step(table.time, controls, self.description)
        return Candidate(case_name(at), at, what, table.time, controls, rows)

    def _schedule(self, number: int) -> CaseTable:
        try:
            return self.simulator.schedule(number)
        except PlanError as error:
            raise UserError(f"dataset: {error}") from None


@dataclass(frozen=True)
class Recipe:
    """What recombined candidates are made of.

    Attributes:
        plan: of the controls for which the user gives ranges; None for none.
        groups: controls that are taken from one training case, by place; each control is in one.
        duration: of a schedule [s].
        rates: most that a control changes per second, by name.
        seed: of what is drawn.
    """

    plan: CasesPlan | None
    groups: Sequence[Sequence[int]]
    duration: float
    rates: Mapping[str, float]
    seed: int


class Recombined:
    """Schedules within the user's ranges, and of stretches of the controls of training cases.

    Args:
        recipe: what they are made of.
        cases: for training; may be none where the user gives all ranges.
        description: of the surrogate.
    """

    def __init__(self, recipe: Recipe, cases: Sequence[Case], description: Description) -> None:
        self.recipe, self.cases, self.description = recipe, cases, description
        self.time = np.arange(round(recipe.duration / description.step) + 1) * description.step

    def make(self, number: int) -> Candidate:
        """One schedule."""
        names, recipe = self.description.channels.controls, self.recipe
        controls = np.empty((len(self.time), len(names)))
        taken = dict[str, list[str]]()
        for place, group in enumerate(recipe.groups):
            rng = np.random.default_rng([recipe.seed, number, place, STREAM])
            case = self.cases[int(rng.integers(len(self.cases)))]
            controls[:, group] = _stretch(rng, case.controls[:, group], len(self.time))
            taken.setdefault(case.name.partition(" (")[0], []).extend(names[i] for i in group)
        if recipe.plan is not None:
            table = make_inputs(recipe.plan, number)
            for i, item in enumerate(recipe.plan.inputs):
                controls[:, names.index(item.name)] = table[:, i]
                taken.setdefault(input_family(recipe.plan, number, i), []).append(item.name)
        for name, rate in recipe.rates.items():
            place = names.index(name)
            controls[:, place] = limit_rate(controls[:, place], rate * self.description.step)
        origin = "; ".join(f"{', '.join(some)} of {what}" for what, some in taken.items())
        return Candidate(f"plan{number:04d}", number, origin, self.time, controls, controls)


def _stretch(rng: np.random.Generator, rows: np.ndarray, count: int) -> np.ndarray:
    """As many rows of a case, from a random one on; beyond its last row it is gone through backwards."""
    spare = len(rows) - count
    start = int(rng.integers(spare + 1)) if spare > 0 else 0
    # Mirrored at both ends, a signal has no jump that it did not have.
    places = (start + np.arange(count)) % (2 * len(rows))
    return rows[np.minimum(places, 2 * len(rows) - 1 - places)]


def groups_of(
    controls: Sequence[str],
    together: Sequence[Sequence[str]],
    planned: Sequence[str],
    modes: Sequence[Sequence[int]] = (),
) -> list[list[int]]:
    """Places of the controls that are taken from one training case each; those within the user's ranges are left out.

    Args:
        controls: their names.
        together: names that the user wants from one case.
        planned: names for which the user gives ranges.
        modes: places of the modes of each text column: they are taken from one case too.

    Raises:
        UserError: a name that is no control, or is named twice, or a range for a mode.
    """
    named = [name for group in together for name in group]
    try:
        require_known("together", named, controls, "the controls of the surrogate")
        require_known("inputs", planned, controls, "the controls of the surrogate")
    except PlanError as error:
        raise UserError(str(error)) from None
    if twice := [name for name, times in Counter([*named, *planned]).items() if times > 1]:
        raise UserError(f"together: {twice[0]!r} is named twice, here or in inputs")
    for column in modes:
        if ranged := [controls[i] for i in column if controls[i] in planned]:
            raise UserError(
                f"inputs.{ranged[0]}: a mode, of which a row has exactly one; leave it out: the modes of the training "
                "cases are taken"
            )
    groups = [[controls.index(name) for name in group] for group in together if group]
    for column in modes:
        touched = [group for group in groups if not {*column}.isdisjoint(group)]
        joined = list(dict.fromkeys(place for group in (*touched, column) for place in group))
        groups = [*(group for group in groups if group not in touched), joined]
    used = {*(place for group in groups for place in group), *(controls.index(name) for name in planned)}
    return [*groups, *([place] for place in range(len(controls)) if place not in used)]


def on_step(time: np.ndarray, controls: np.ndarray, description: Description) -> np.ndarray:
    """Controls on the surrogate's step (K, C)."""
    return decimate(time, controls, description.step, description.decimation)[1]


@dataclass(frozen=True)
class Rules:
    """What every candidate must keep.

    Attributes:
        constraints: between controls.
        rates: most that a control changes per second, by name.
    """

    constraints: Sequence[Constraint]
    rates: Mapping[str, float]

    def broken(self, candidate: Candidate, channels: Channels) -> str | None:
        """The first rule that a candidate breaks; None where it keeps all."""
        columns = dict(zip(channels.controls, candidate.controls.T, strict=True))
        for name, rate in self.rates.items():
            steps = np.abs(np.diff(columns[name])) / np.diff(candidate.time)
            if len(steps) and steps.max() > rate * (1 + ROUNDING):
                return f"rates.{name}={rate:g}"
        return next((rule.text for rule in self.constraints if not rule.holds(columns).all()), None)


def gather(source: Source, rules: Rules, description: Description, count: int, first: int = 1) -> list[Candidate]:
    """Make candidates that keep the rules.

    Args:
        source: of the candidates.
        rules: that they keep.
        description: of the surrogate.
        count: how many.
        first: number of the first that is tried.

    Raises:
        UserError: too few of those that were tried keep the rules, or they are too short to be predicted.
    """
    found, refused = list[Candidate](), Counter[str]()
    for number in range(first, first + TRIES * count):
        candidate = source.make(number)
        if len(candidate.rows) <= description.in_len:
            raise UserError(
                f"schedules of {candidate.time[-1]:g} s: the surrogate steps by {description.step:g} s and starts from "
                f"{description.in_len} rows; make them longer"
            )
        if (rule := rules.broken(candidate, description.channels)) is None:
            found.append(candidate)
        else:
            refused[rule] += 1
        if len(found) == count:
            return found
    told = "; ".join(f"{rule} refused {times}" for rule, times in refused.most_common(3))
    raise UserError(
        f"only {len(found)} of {TRIES * count} candidates keep the rules ({told}): loosen them, ask for fewer "
        "candidates, or give ranges (inputs=...) within which they hold"
    )
