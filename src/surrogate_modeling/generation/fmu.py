"""An FMU of the user as a simulator of cases."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.common.paths import expanded
from surrogate_modeling.config.dataset import FmuConfig
from surrogate_modeling.generation.cases_plan import CasesPlan, checked_name
from surrogate_modeling.generation.fmu_model import FmuModel, FmuVariable, read_fmu
from surrogate_modeling.generation.planned_dataset import (
    make_cases_plan,
    planned_case_list,
    planned_controls,
    read_plan,
    require_known,
)
from surrogate_modeling.generation.simulator import CaseTable, PlanError

if TYPE_CHECKING:
    from surrogate_modeling.generation.fmu_run import Runner

log = logging.getLogger(__name__)
PLAN_KEYS = ("inputs", "parameter_ranges", "outputs", "start")
DIGITS = 10


@dataclass(frozen=True)
class Fmu:
    """An FMU with a plan.

    Attributes:
        path: of the file, absolute.
        digest: of its content.
        kind: ``co_simulation`` or ``model_exchange``.
        plan: of the cases.
        start: value of each variable that is set before the start, beside the parameters that vary.
        units: of inputs and varied parameters, then of outputs, by name.
        whole: names of inputs and parameters that take whole numbers.
        one_case_per_process: the FMU can be instantiated only once in a process.
    """

    path: str
    digest: str
    kind: str
    plan: CasesPlan
    start: dict[str, float]
    units: dict[str, str]
    whole: frozenset[str]
    one_case_per_process: bool

    @property
    def controls(self) -> tuple[str, ...]:
        """Inputs that move and parameters that vary."""
        return (*(item.name for item in self.plan.inputs), *self.plan.parameters)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that vary from case to case."""
        return tuple(self.plan.parameters)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predicted columns."""
        return tuple(self.units)[len(self.controls) :]

    def content(self) -> dict[str, object]:
        """Digest of the FMU, how it is run, units, and the plan."""
        fmu = {"fmu": self.digest, "fmi_type": self.kind, "start": self.start, "outputs": list(self.outputs)}
        return {**fmu, "units": self.units, **self.plan.content()}

    def case_list(self, count: int) -> tuple[str, list[list[str]]]:
        """Varied parameters and drawn signal families of every case."""
        return planned_case_list(self.plan, count)

    def schedule(self, number: int) -> CaseTable:
        """Inputs and varied parameters of a case."""
        units = {name: self.units[name] for name in self.controls}
        return CaseTable(units, self.plan.time, planned_controls(self.plan, number, self.whole), DIGITS)

    def prepare(self, scratch: Path) -> Callable[[int], CaseTable]:
        """Unpack the FMU."""
        import fmpy

        from surrogate_modeling.generation.fmu_run import Runner

        description = fmpy.read_model_description(self.path, validate=False)
        folder = fmpy.extract(self.path, str(scratch / "fmu"))
        return partial(self._simulate, Runner(description, folder, self.kind))

    def _simulate(self, runner: Runner, number: int) -> CaseTable:
        from surrogate_modeling.generation.fmu_run import Drive

        plan, controls = self.plan, planned_controls(self.plan, number, self.whole)
        columns = dict(zip(self.controls, controls.T, strict=True))
        inputs = {item.name: columns[item.name] for item in plan.inputs}
        parameters = {name: float(columns[name][0]) for name in plan.parameters}
        drive = Drive({**self.start, **parameters}, inputs, self.outputs, len(plan.time), plan.step)
        values = np.column_stack((controls, runner.run(drive)))
        return CaseTable(self.units, plan.time, values, DIGITS)


def plan_fmu(dataset: FmuConfig) -> tuple[Fmu, FmuModel]:
    """Read an FMU's description, and plan its cases.

    Raises:
        UserError: the FMU cannot be read or run here.
        PlanError: the plan is impossible.
    """
    model = read_fmu(expanded(dataset.fmu, "dataset.fmu").absolute())
    given = read_plan(dataset, PLAN_KEYS)
    known = model.of("input")
    plan = make_cases_plan(
        dataset, _all_ranges(known) if given["inputs"] is None else given["inputs"], given["parameter_ranges"]
    )
    require_known("inputs", [item.name for item in plan.inputs], known, "the inputs of the FMU")
    settable = {item.name: item for item in model.variables if item.is_settable}
    require_known("parameter_ranges", plan.parameters, settable, "what can be set before the start of the FMU")
    limits = {**{item.name: item.range for item in plan.inputs}, **plan.parameters}
    for name, span in limits.items():
        _require_allowed(name, span, settable[name])
    start = _start_values(given["start"] or {})
    require_known("start", start, settable, "what can be set before the start of the FMU")
    every = {item.name: item for item in model.variables}
    outputs = given["outputs"] or list(model.of("output"))
    if not isinstance(outputs, list) or not outputs:
        raise PlanError("outputs: the FMU has none; name variables of it as dataset.outputs")
    require_known("outputs", outputs, every, "the variables of the FMU")
    held = [name for name in known if name not in limits and name not in start]
    if held:
        log.info("inputs without a plan stay at their start values: %s", ", ".join(held))
    if model.step is not None and abs(plan.step / model.step - round(plan.step / model.step)) > 1e-6:
        log.warning("the FMU asks for steps of %g s, of which output_step = %g s is no multiple", model.step, plan.step)
    kind = str(dataset.fmi_type) if dataset.fmi_type is not None else model.kinds[0]
    if kind not in model.kinds:
        raise PlanError(f"fmi_type = {kind}: {model.path} offers {' and '.join(model.kinds)} only")
    names = [*limits, *outputs]
    return Fmu(
        str(model.path), model.digest, kind, plan, start,
        {name: dataset.units.get(name, every[name].unit) for name in names},
        frozenset(name for name in limits if every[name].is_whole),
        model.is_single,
    ), model  # fmt: skip


def _start_values(raw: object) -> dict[str, float]:
    """Check the mapping ``start``.

    Raises:
        PlanError: it is none, or a value is no number.
    """
    if not isinstance(raw, Mapping):
        raise PlanError(f"start = {raw}: give a mapping of names to values")
    for name, value in raw.items():
        if not isinstance(value, int | float):
            raise PlanError(f"start.{name} = {value}: give a number")
    return {checked_name(name, "start"): float(value) for name, value in raw.items()}


def _all_ranges(inputs: Mapping[str, FmuVariable]) -> dict[str, list[float]]:
    """Range of every input as the model description says it.

    Raises:
        PlanError: it does not.
    """
    unsaid = [name for name, item in inputs.items() if item.low is None or item.high is None]
    if unsaid:
        raise PlanError(
            f"inputs: the model description says no min and max of {', '.join(unsaid)}; "
            "`pdm run generate dataset=fmu dataset.fmu=... list=True > plan.yaml` prints a plan to edit, "
            "dataset.plan=plan.yaml takes it"
        )
    return {
        name: [item.low, item.high] for name, item in inputs.items() if item.low is not None and item.high is not None
    }


def _require_allowed(name: str, span: tuple[float, float] | None, item: FmuVariable) -> None:
    low = -np.inf if item.low is None else item.low
    high = np.inf if item.high is None else item.high
    if span is not None and not (low <= span[0] and span[1] <= high):
        raise PlanError(f"{name}: range {list(span)}; the model description allows {low:g} to {high:g}")
