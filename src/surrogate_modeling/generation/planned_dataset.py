"""From the keys of a planned dataset, and its file of a plan, to the plan of cases."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from surrogate_modeling.cases.companions import PARAMETERS_FILE
from surrogate_modeling.common.errors import first_line
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.config.dataset import PlannedConfig
from surrogate_modeling.generation.cases_plan import CasesPlan, parse_inputs, parse_ranges
from surrogate_modeling.generation.signals import input_family, make_inputs, require_recorded
from surrogate_modeling.generation.simulator import PlanError, case_name


def read_plan(dataset: PlannedConfig, keys: Collection[str]) -> dict[str, object]:
    """Values of some keys of the dataset; what is not given there is read from the file ``dataset.plan``.

    Args:
        dataset: as configured.
        keys: that the file may hold.

    Raises:
        PlanError: the file cannot be read, or holds other keys.
    """
    given = {key: getattr(dataset, key) for key in keys}
    if dataset.plan is None:
        return given
    path = expanded(dataset.plan, "dataset.plan")
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        raise PlanError(f"plan = {path}: {error.strerror}") from None
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        raise PlanError(
            f"plan = {path}: cannot be read as YAML: {' '.join(str(error).split()) or first_line(error)}"
        ) from None
    if not isinstance(content, Mapping):
        raise PlanError(f"plan = {path}: keys are expected: {', '.join(keys)}")
    unknown = [str(key) for key in content if key not in keys]
    if unknown:
        raise PlanError(f"plan = {path}: {', '.join(unknown)} unknown; known: {', '.join(keys)}")
    # What the YAML of the dataset leaves open is None or empty.
    return {key: given[key] or content.get(key) for key in keys}


def make_cases_plan(dataset: PlannedConfig, inputs: object, parameter_ranges: object) -> CasesPlan:
    """The plan of cases.

    Args:
        dataset: number, duration, step, seed and sampling.
        inputs: mapping of names to ranges or more; None for none.
        parameter_ranges: mapping of names to ranges; None for none.

    Raises:
        PlanError: it cannot be carried out.
    """
    plan = CasesPlan(
        dataset.cases,
        dataset.duration,
        dataset.output_step,
        dataset.seed,
        parse_inputs(inputs or {}, dataset.duration),
        parse_ranges(parameter_ranges or {}),
        dataset.sampling.value,
    )
    require_recorded(plan)
    return plan


def planned_case_list(plan: CasesPlan, count: int) -> tuple[str, list[list[str]]]:
    """Varied parameters of every case, and the signal family of inputs that have several."""
    choosing = [place for place, item in enumerate(plan.inputs) if len(item.family) > 1]
    if not plan.parameters and not choosing:
        return PARAMETERS_FILE, []
    head = ["case", *plan.parameters, *(f"{plan.inputs[place].name}: family" for place in choosing)]
    rows = [
        [
            case_name(number),
            *map(repr, plan.parameter_values(number).values()),
            *(input_family(plan, number, place) for place in choosing),
        ]
        for number in range(1, count + 1)
    ]
    return PARAMETERS_FILE, [head, *rows]


def planned_controls(plan: CasesPlan, number: int, whole: Collection[str] = ()) -> np.ndarray:
    """Inputs, then varied parameters, of one case in every row (T, C).

    Args:
        plan: of the cases.
        number: of the case.
        whole: names of those that take whole numbers.
    """
    constants = np.tile([*plan.parameter_values(number).values()], (len(plan.time), 1))
    table = np.hstack((make_inputs(plan, number), constants))
    for place, name in enumerate((*(item.name for item in plan.inputs), *plan.parameters)):
        if name in whole:
            table[:, place] = np.round(table[:, place])
    return table


def require_known(key: str, names: Collection[str], known: Collection[str], what: str) -> None:
    """Check that names are among those that are known.

    Raises:
        PlanError: one is not; with the nearest that is.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
            raise PlanError(f"{key}: {name!r} is not among {what}; {hint}")
