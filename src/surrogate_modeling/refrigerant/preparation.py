"""Tables and compiled code of the circuit, made on two cores where they are missing."""

from __future__ import annotations

from multiprocessing import get_context
from typing import Any

import numba
import numpy as np

from surrogate_modeling.refrigerant import circuit as ci
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.case import run_schedule, start_state
from surrogate_modeling.refrigerant.compilation import is_sealed, seal
from surrogate_modeling.refrigerant.families import RANDOM_STEPS
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
from surrogate_modeling.refrigerant.observation import gas_temperature, predicted_rows
from surrogate_modeling.refrigerant.properties import Tables, load_tables
from surrogate_modeling.refrigerant.schedules import make_schedule

# Of the arrays of the tables, in their order.
TABLE_DIMENSIONS = (1, 3, 4, 4, 4)


def prepare(refrigerant: str) -> dict[str, Any]:
    """Load or build tables and compiled code, by simulating a few rows; returns the number of these rows."""
    if not is_sealed():
        # What it cannot do is done below.
        other = get_context("spawn").Process(target=_prepare_tables, args=(refrigerant,), daemon=True)
        other.start()
        _compile_simulation()
        other.join()
    schedule = make_schedule(1, 0.1, "random_steps", 0)
    run = run_schedule(refrigerant, Drive(schedule.plan[:3], schedule.targets[:3], RANDOM_STEPS))
    run.predicted()
    gas_temperature(run.tables, 3e5, 4.1e5)
    dy, o = np.empty(ly.N_STATES), np.empty(ly.N_OBSERVED)
    ci.evaluate(run.final, run.controls[0].copy(), run.tables, dy, o)
    seal()
    return {"rows": run.states.shape[0]}


def _prepare_tables(refrigerant: str) -> None:
    """Make the tables, and compile what is used before and after a simulation."""
    tables = load_tables(refrigerant)
    start_state(tables, refrigerant, make_schedule(1, 0.1, "random_steps", 0).plan[0])
    predicted_rows(tables, np.empty((0, ly.N_OBSERVED)), np.empty((0, ly.N_STATES)))


def _compile_simulation() -> None:
    """Compile the simulation for the types of its arguments, without the tables."""
    schedule = make_schedule(1, 0.1, "random_steps", 0)
    none = Tables(*(np.empty((0,) * dimensions) for dimensions in TABLE_DIMENSIONS))
    states, controls, observed = (np.empty((0, columns)) for columns in (ly.N_STATES, ly.N_CONTROLS, ly.N_OBSERVED))
    given = (
        np.empty(ly.N_STATES),
        Drive(np.ascontiguousarray(schedule.plan), schedule.targets, RANDOM_STEPS),
        none,
        Method(rkc_coefficients(STAGES), SUBSTEPS),
        Recording(states, controls, observed, 1),
        np.zeros(N_UNIT),
    )
    simulate.compile(tuple(map(numba.typeof, given)))  # type: ignore[attr-defined]
