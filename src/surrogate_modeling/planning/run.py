"""One proposal as configured: where candidates come from, the rules that they keep, the batch, and what is written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from surrogate_modeling.adaptation.old_cases import read_old
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import PlanConfig
from surrogate_modeling.config.schema import is_positive
from surrogate_modeling.deployment.loading import say_mean_unit
from surrogate_modeling.generation.cases_plan import CasesPlan, InputPlan, parse_inputs
from surrogate_modeling.generation.dataset import choose_simulator
from surrogate_modeling.generation.planned_dataset import require_known
from surrogate_modeling.generation.simulator import PlanError
from surrogate_modeling.planning.candidates import (
    Recipe,
    Recombined,
    Rules,
    SimulatorCases,
    Source,
    gather,
    groups_of,
)
from surrogate_modeling.planning.expressions import Constraint
from surrogate_modeling.planning.proposal import SCHEDULES, Proposal
from surrogate_modeling.planning.scoring import choose, look_at
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)


class Supply(NamedTuple):
    """Where candidates come from, and what they keep."""

    source: Source
    rules: Rules


def plan(surrogate: Surrogate, config: PlanConfig, output: Path) -> None:
    """Propose schedules, write them, and say what to do with them.

    Args:
        surrogate: on its device.
        config: checked; without rounds.
        output: folder, exists.

    Raises:
        UserError: candidates cannot be made, or too few of them keep the rules.
    """
    proposal = propose(surrogate, config, supply_of(surrogate, config))
    proposal.write(output, str(config.language), config.surrogate)
    log.info("chosen among %d candidates:\n%s", len(proposal.candidates), proposal.text())
    log.info("schedules, plan.csv and plan.html, which shows why each, are in %s", output)
    how = f"simulate {output / SCHEDULES} and train on the cases, or adapt to them"
    log.info("next: %s", how if config.dataset is None else f"{how}; or rounds=1 does both")


def propose(surrogate: Surrogate, config: PlanConfig, supply: Supply, first: int = 1) -> Proposal:
    """Make candidates, look at them, and choose.

    Args:
        surrogate: on its device.
        config: checked.
        supply: of candidates.
        first: number of the first candidate.

    Raises:
        UserError: too few candidates keep the rules, or the surrogate lacks what they are chosen by, or the unit.
    """
    if config.unit is not None:
        surrogate.require_unit(config.unit)
    else:
        say_mean_unit(surrogate, "name one by unit=<name>")
    candidates = gather(supply.source, supply.rules, surrogate.description, config.candidates, first)
    unknown = look_at(surrogate, candidates, config.unit)
    return Proposal(surrogate, candidates, unknown, choose(unknown, config.by, config.cases, config.seed), config.by)


def supply_of(surrogate: Surrogate, config: PlanConfig) -> Supply:
    """The candidates of a configuration, for all rounds of it.

    Raises:
        UserError: as of :func:`rules_of` and :func:`source_of`.
    """
    rules = rules_of(surrogate, config)
    return Supply(source_of(surrogate, config, rules.rates), rules)


def rules_of(surrogate: Surrogate, config: PlanConfig) -> Rules:
    """The rules of the configuration.

    Raises:
        UserError: a control that is not there, or a rule that cannot be read.
    """
    controls = surrogate.description.channels.controls
    rates = config.rates or {}
    try:
        require_known("rates", list(map(str, rates)), controls, "the controls of the surrogate")
    except PlanError as error:
        raise UserError(str(error)) from None
    switches = [controls[i] for i in surrogate.training_range.switches.places]
    for name, rate in rates.items():
        if not is_positive(rate):
            raise UserError(f"rates.{name}={rate}: must be more than 0 and finite")
        if name in switches:
            raise UserError(f"rates.{name}: on or off, or a mode, in the training cases: it jumps; leave it out")
    constraints = [Constraint.of(text, controls) for text in config.constraints]
    return Rules(constraints, {str(name): float(rate) for name, rate in rates.items()})


def source_of(surrogate: Surrogate, config: PlanConfig, rates: Mapping[str, float]) -> Source:
    """Where candidates come from, of which those of ranges change by no more than the rates.

    Raises:
        UserError: from nowhere: training cases are gone, a simulator has other controls, ranges that are none.
    """
    if config.dataset is None:
        return _recombined(surrogate, config, rates)
    try:
        simulator, _ = choose_simulator(config.dataset)
        return SimulatorCases(simulator, surrogate.description, config.dataset.cases + 1)
    except PlanError as error:
        raise UserError(f"dataset: {error}") from None


def _recombined(surrogate: Surrogate, config: PlanConfig, rates: Mapping[str, float]) -> Recombined:
    description = surrogate.description
    controls, planned = description.channels.controls, list(map(str, config.inputs or {}))
    switches = surrogate.training_range.switches
    groups = groups_of(controls, config.together, planned, switches.modes)
    cases = read_old(surrogate, config.old).training if groups or config.duration is None else []
    if groups and not cases:
        names = ", ".join(controls[i] for group in groups for i in group)
        raise UserError(
            f"inputs: give ranges of {names} too, or the folder of the training cases as old=<folder>: there are none "
            "to recombine"
        )
    if config.duration is None and not cases:
        raise UserError("duration: give the seconds of a schedule; there are no training cases to tell them")
    duration = config.duration or float(np.median([case.time[-1] - case.time[0] for case in cases]))
    step = description.step
    duration = max(1, round(duration / step)) * step
    try:
        inputs = parse_inputs(config.inputs or {}, duration)
        inputs = tuple(_constant(item) if item.name in description.channels.parameters else item for item in inputs)
        on_off = [name for name, switch in zip(controls, switches.on_off.tolist(), strict=True) if switch]
        inputs = tuple(_switched(item) if item.name in on_off else item for item in inputs)
        if any(item.file is not None for item in inputs):
            raise PlanError("inputs: recorded schedules are the user's own; candidates are made of ranges")
        plan = CasesPlan(config.candidates, duration, step, config.seed, inputs, {}) if inputs else None
    except PlanError as error:
        raise UserError(str(error)) from None
    return Recombined(Recipe(plan, groups, duration, rates, config.seed), cases, description)


def _constant(item: InputPlan) -> InputPlan:
    """A parameter of the surrogate, which has one value in a schedule, whatever the default family is."""
    if item.family not in (("steps",), ("constant",)):
        raise PlanError(f"inputs.{item.name}: a parameter of the surrogate, constant in a schedule: leave family out")
    return replace(item, family=("constant",))


def _switched(item: InputPlan) -> InputPlan:
    """A control that is on or off: it jumps between the two, whatever the default family is."""
    if item.range not in ((0.0, 1.0), None) or item.family not in (("steps",), ("prbs",)):
        raise PlanError(f"inputs.{item.name}: 0 or 1 in the training cases: give [0, 1], or leave it out")
    return replace(item, family=("prbs",))
