"""Run an FMU over one case: by its own steps (co-simulation), or with FMPy's CVode (model exchange).

In co-simulation the input during a step is that of the row at its end, as in the FMUs that ``export`` writes; in model
exchange it is linear between the rows. FMPy loads the binary and has every function of the standard; its own loop over
steps looks up inputs and outputs anew in each, which takes several times as long.

Shape letters: T rows, O outputs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fmpy
import numpy as np
from fmpy import fmi1, fmi2, fmi3
from fmpy.model_description import ModelDescription, ModelVariable
from fmpy.simulation import (
    apply_start_values,
    settable_in_initialization_mode,
    settable_in_instantiated,
)

from surrogate_modeling.generation.fmu_model import CO_SIMULATION, REAL_TYPES
from surrogate_modeling.generation.simulator import CaseFailed, ProcessSpent

FATAL = 4
# Variables of these may change at events only.
DISCRETE = ("discrete", "tunable")


@dataclass(frozen=True)
class Drive:
    """What an FMU is given in a case, and what is asked of it.

    Attributes:
        start: value of each variable that is set before the start; all can be.
        inputs: values (T,) of each input.
        outputs: names of the variables to read.
        rows: T.
        step: between rows [s].
    """

    start: dict[str, float]
    inputs: dict[str, np.ndarray]
    outputs: tuple[str, ...]
    rows: int
    step: float


class _Variables:
    """Variables that are read or written together: one call of the FMU for each type among them."""

    def __init__(self, fmu: Any, variables: Sequence[ModelVariable], verb: str) -> None:
        self.calls: list[tuple[Callable[..., Any], list[Any], np.ndarray, slice | np.ndarray]] = []
        version = 2 if isinstance(fmu, fmi2._FMU2) else 3
        places: dict[str, list[int]] = {}
        for place, item in enumerate(variables):
            places.setdefault(_type_name(item, version), []).append(place)
        for name, where in places.items():
            references = (ctypes.c_uint32 * len(where))(*(variables[place].valueReference for place in where))
            values = (getattr(fmi2 if version == 2 else fmi3, f"fmi{version}{name}") * len(where))()
            arguments = [fmu.component, references, len(where), values, *([len(where)] if version == 3 else [])]
            columns = slice(where[0], where[-1] + 1) if where[-1] - where[0] == len(where) - 1 else np.array(where)
            function = getattr(fmu, f"fmi{version}{verb}{name}")
            self.calls.append((function, arguments, np.ctypeslib.as_array(values), columns))

    def write(self, row: np.ndarray) -> None:
        """Set the variables; whole numbers are whole in the row already."""
        for function, arguments, view, columns in self.calls:
            view[:] = row[columns]
            function(*arguments)

    def read(self, row: np.ndarray) -> None:
        """Get the variables into a row."""
        for function, arguments, view, columns in self.calls:
            function(*arguments)
            row[columns] = view


def _type_name(item: ModelVariable, version: int) -> str:
    """What the names of the FMU's functions end in: enumerations are passed as integers."""
    return {"Enumeration": "Integer" if version == 2 else "Int64"}.get(item.type, item.type)


class _Driven:
    """Sets the inputs, linear between the rows, with the time: FMPy's solver sets the time alone in the equations.

    An exception is lost in the solver, which is C and goes on: the first is kept, and the FMU is not called after it.
    """

    inputs: _Variables | None = None
    rows: np.ndarray
    step: float
    failure: fmi1.FMICallException | None = None

    def _call(self, name: str, *arguments: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        try:
            return super()._call(name, *arguments)  # type: ignore[misc]
        except fmi1.FMICallException as error:
            self.failure = error
            raise

    def setTime(self, time: float) -> None:
        """Set the time [s], and the inputs at that time."""
        super().setTime(time)  # type: ignore[misc]
        if self.inputs is not None:
            place = time / self.step
            before = max(0, min(int(place), len(self.rows) - 2))
            share = place - before
            self.inputs.write((1.0 - share) * self.rows[before] + share * self.rows[before + 1])


# FMPy goes by the first letters of these names.
class FMU2Driven(_Driven, fmi2.FMU2Model):
    """An FMU of FMI 2.0 in model exchange whose inputs follow the rows of a case."""


class FMU3Driven(_Driven, fmi3.FMU3Model):
    """An FMU of FMI 3.0 in model exchange whose inputs follow the rows of a case."""


class Runner:
    """An FMU whose binary is loaded once, in a process of its own, and that gets a new instance for each case.

    Args:
        description: of the FMU.
        folder: where it is unpacked.
        kind: ``co_simulation`` or ``model_exchange``.
    """

    def __init__(self, description: ModelDescription, folder: str, kind: str) -> None:
        self.description, self.folder, self.kind = description, folder, kind
        self.is_2 = description.fmiVersion.startswith("2")
        self.fmu: Any = None

    def run(self, drive: Drive) -> np.ndarray:
        """Run the FMU over a case, and return its outputs (T, O).

        Raises:
            CaseFailed: the FMU cannot be loaded, refuses a start value or a step, or ends the simulation.
            ProcessSpent: it met a fatal error.
        """
        fatal = False
        try:
            if self.fmu is None:
                self.fmu = self._load()
            self.fmu.instantiate()
            return self._step_through(drive) if self.kind == CO_SIMULATION else self._integrate(drive)
        except Exception as error:  # FMPy raises Exception itself, and AttributeError for a missing function
            cause = getattr(self.fmu, "failure", None) or error
            fatal = getattr(cause, "status", None) == FATAL
            if fatal:
                raise ProcessSpent(f"{cause} No call may follow: the FMU's process was ended") from None
            raise CaseFailed(str(cause)) from None
        finally:
            # The standard allows no call of the FMU, of other instances neither, after a fatal error.
            if self.fmu is not None and self.fmu.component is not None and not fatal:
                self.fmu.failure = None
                (self.fmu.fmi2FreeInstance if self.is_2 else self.fmu.fmi3FreeInstance)(self.fmu.component)
                self.fmu.component = None

    def _load(self) -> Any:
        description = self.description
        if self.kind == CO_SIMULATION:
            interface, loader = description.coSimulation, fmi2.FMU2Slave if self.is_2 else fmi3.FMU3Slave
        else:
            interface, loader = description.modelExchange, FMU2Driven if self.is_2 else FMU3Driven
        return loader(
            guid=description.guid, unzipDirectory=self.folder, modelIdentifier=interface.modelIdentifier,
            instanceName=None,
        )  # fmt: skip

    def _step_through(self, drive: Drive) -> np.ndarray:
        fmu, description = self.fmu, self.description
        variables = {item.name: item for item in description.modelVariables}
        driven = _Variables(fmu, [variables[name] for name in drive.inputs], "Set")
        answered = _Variables(fmu, [variables[name] for name in drive.outputs], "Get")
        result = np.empty((drive.rows, len(drive.outputs)))
        rows = np.stack([*drive.inputs.values()], axis=1) if drive.inputs else np.empty((drive.rows, 0))
        span = {"startTime": 0.0, "stopTime": (drive.rows - 1) * drive.step}
        if self.is_2:
            fmu.setupExperiment(**span)
        left = apply_start_values(fmu, description, drive.start, settable_in_instantiated)
        fmu.enterInitializationMode(**({} if self.is_2 else span))
        apply_start_values(fmu, description, left, settable_in_initialization_mode)
        driven.write(rows[0])
        fmu.exitInitializationMode()
        answered.read(result[0])
        for k in range(1, drive.rows):
            driven.write(rows[k])
            done = fmu.doStep((k - 1) * drive.step, drive.step)
            # Of FMI 3.0: event, simulation ended, early return, time reached.
            if not self.is_2 and (done[1] or done[2]):
                raise CaseFailed(f"the FMU ended the simulation at {done[3]:g} s")
            answered.read(result[k])
        fmu.terminate()
        return result

    def _integrate(self, drive: Drive) -> np.ndarray:
        signals = np.zeros(drive.rows, dtype=[("time", float), *((name, float) for name in drive.inputs)])
        signals["time"] = np.arange(drive.rows) * drive.step
        for name, values in drive.inputs.items():
            signals[name] = values
        variables = [item for item in self.description.modelVariables if item.name in drive.inputs]
        smooth = [item for item in variables if item.type in REAL_TYPES and item.variability not in DISCRETE]
        self.fmu.inputs = None
        if smooth:
            self.fmu.rows, self.fmu.step = np.stack([drive.inputs[item.name] for item in smooth], axis=1), drive.step
            self.fmu.inputs = _Variables(self.fmu, smooth, "Set")
        result = fmpy.simulate_fmu(
            self.folder, validate=False, start_time=0.0, stop_time=(drive.rows - 1) * drive.step,
            output_interval=drive.step, record_events=False, fmi_type="ModelExchange", start_values=drive.start,
            input=signals, output=list(drive.outputs), model_description=self.description, fmu_instance=self.fmu,
        )  # fmt: skip
        if len(result) != drive.rows:
            raise CaseFailed(f"the FMU ended the simulation at {result['time'][-1]:g} s")
        return np.stack([result[name].astype(float) for name in drive.outputs], axis=1)
