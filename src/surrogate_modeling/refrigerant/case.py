"""Simulate one case, given its number, duration, family and seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.columns import CONTROL_STEP, CONTROLS, PREDICTED
from surrogate_modeling.refrigerant.families import FAMILIES
from surrogate_modeling.refrigerant.integrator import (
    N_UNIT,
    STAGES,
    SUBSTEPS,
    Drive,
    Method,
    Recording,
    rkc_coefficients,
    simulate,
)
from surrogate_modeling.refrigerant.observation import predicted_rows, soaked_start
from surrogate_modeling.refrigerant.properties import Tables, load_tables
from surrogate_modeling.refrigerant.schedules import WARM_UP, SimulatorSchedule, make_schedule

# Refrigerant charge in kg: the same liquid volume of both; R1234yf's liquid is about a tenth lighter.
CHARGE = {"R134a": 0.48, "R1234yf": 0.435}


@dataclass
class SimulationResult:
    """Recorded rows and diagnostics of a simulated schedule; ``failed_at`` [s] is None for a complete one."""

    tables: Tables
    states: np.ndarray
    controls: np.ndarray
    observed: np.ndarray
    failed_at: float | None
    unsolved: int
    substeps: int
    final: np.ndarray

    def predicted(self) -> np.ndarray:
        """Predicted columns in the order of ``columns.PREDICTED``."""
        return predicted_rows(self.tables, self.observed, self.states)


def start_state(tables: Tables, refrigerant: str, controls: np.ndarray) -> np.ndarray:
    """State of the circuit at ambient temperature, with fan and blower at their first command."""
    y = np.empty(ly.N_STATES)
    x = soaked_start(tables, controls[ly.AMB_T] + ly.ZERO_CELSIUS, CHARGE[refrigerant], y)
    if not 1e-9 < x < 1.0 - 1e-9:
        raise ValueError(f"a charge of {CHARGE[refrigerant]} kg does not fit at {controls[ly.AMB_T]:.1f} degC")
    y[ly.FAN], y[ly.BLOWER] = 0.01 * controls[ly.FAN_DUTY], controls[ly.BLOWER_FLOW]
    return y


class SimulationArguments(NamedTuple):
    """What :func:`simulate` takes, in its order."""

    y: np.ndarray
    drive: Drive
    tables: Tables
    method: Method
    recording: Recording
    unit: np.ndarray


def simulation_arguments(
    y: np.ndarray, drive: Drive, tables: Tables, substeps: int, stride: int
) -> SimulationArguments:
    """Arguments of a simulation that records every ``stride``-th row; ``y`` is the state that it starts at."""
    plan, unit = drive.plan, np.zeros(N_UNIT)
    kept = (plan.shape[0] - 1) // stride + 1
    states, controls, observed = (np.empty((kept, columns)) for columns in (ly.N_STATES, ly.N_CONTROLS, ly.N_OBSERVED))
    # The control unit starts with its sensor at the air's temperature and its off timer elapsed.
    unit[:3] = plan[0, ly.EVA_T], 0.0, 60.0
    return SimulationArguments(
        y,
        Drive(np.ascontiguousarray(plan), drive.targets, drive.family),
        tables,
        Method(rkc_coefficients(STAGES), substeps),
        Recording(states, controls, observed, stride),
        unit,
    )


def run_schedule(
    refrigerant: str, drive: Drive, *, substeps: int = SUBSTEPS, stride: int = 1, start: np.ndarray | None = None
) -> SimulationResult:
    """Simulate a schedule from ``start`` or from ambient temperature, and record every ``stride``-th row."""
    tables = load_tables(refrigerant)
    y = start_state(tables, refrigerant, drive.plan[0]) if start is None else start.copy()
    given = simulation_arguments(y, drive, tables, substeps, stride)
    row, unsolved = simulate(*given)
    states, controls, observed, _ = given.recording
    if row >= 0:
        kept = (row + stride - 1) // stride
        states, controls, observed = states[:kept], controls[:kept], observed[:kept]
    return SimulationResult(
        tables=tables,
        states=states,
        controls=controls,
        observed=observed,
        failed_at=None if row < 0 else row * CONTROL_STEP,
        unsolved=unsolved,
        substeps=substeps,
        final=y,
    )


class LeftRegion(Exception):
    """A simulation that left the region of its equations, even with a quarter of the step."""

    def __init__(self, reason: str, state: dict[str, float]) -> None:
        super().__init__(reason)
        self.reason, self.state = reason, state


def run_case(refrigerant: str, schedule: SimulatorSchedule, stride: int) -> SimulationResult:
    """Simulate a schedule, again with a quarter of the step where the first attempt fails."""
    for substeps in (SUBSTEPS, 4 * SUBSTEPS):
        drive = Drive(schedule.plan, schedule.targets, FAMILIES[schedule.family])
        run = run_schedule(refrigerant, drive, substeps=substeps, stride=stride)
        if run.failed_at is None and run.unsolved == 0:
            return run
    if run.failed_at is None:
        raise LeftRegion(f"interface flows not solved {run.unsolved} times", describe_state(run))
    raise LeftRegion(
        f"left the property region {run.failed_at - WARM_UP:.1f} s after the start of the case",
        describe_state(run),
    )


def describe_state(run: SimulationResult) -> dict[str, float]:
    """Final state of a simulation for an error message: pressures, enthalpy range, speed."""
    y = run.final
    h = y[ly.H0 : ly.H0 + ly.N_CELLS]
    return {
        "high_side_bar": float(y[ly.P_HIGH] * 1e-5),
        "low_side_bar": float(y[ly.P_LOW] * 1e-5),
        "lowest_enthalpy_kJ_kg": float(h.min() * 1e-3),
        "highest_enthalpy_kJ_kg": float(h.max() * 1e-3),
        "compressor_rpm": float(y[ly.SPEED] * 60.0),
    }


def case_table(number: int, duration: float, step: float, refrigerant: str, family: str, seed: int) -> np.ndarray:
    """Time, controls and predicted columns of a case after its warm-up."""
    stride = round(step / CONTROL_STEP)
    run = run_case(refrigerant, make_schedule(number, duration, family, seed), 1)
    first = round(WARM_UP / CONTROL_STEP)
    keep = slice(first, None, stride)
    rows = run.states[keep].shape[0]
    time = np.arange(rows) * step
    predicted = predicted_rows(run.tables, run.observed[keep].copy(), run.states[keep].copy())
    return np.column_stack([time, run.controls[keep], predicted])


def names_and_units() -> tuple[list[str], list[str]]:
    """First two lines of a case file."""
    columns = [*CONTROLS, *PREDICTED]
    return ["time", *(c.name for c in columns)], ["s", *(c.unit for c in columns)]
