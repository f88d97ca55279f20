"""Tables and compiled code of the circuit, made on two cores where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numba
import numpy as np
from filelock import FileLock, Timeout

from surrogate_modeling.common.child_process import follow_parent, fresh_processes, interrupts_held_back
from surrogate_modeling.refrigerant import circuit as ci
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.case import run_schedule, simulation_arguments
from surrogate_modeling.refrigerant.compilation import code_folder, is_sealed, seal
from surrogate_modeling.refrigerant.families import RANDOM_STEPS
from surrogate_modeling.refrigerant.integrator import SUBSTEPS, Drive, simulate
from surrogate_modeling.refrigerant.observation import gas_temperature
from surrogate_modeling.refrigerant.properties import Tables, load_tables
from surrogate_modeling.refrigerant.schedules import make_schedule

LOCK = "compiling.lock"
SECONDS_TO_COMPILE = 120.0


def prepare(refrigerant: str) -> dict[str, Any]:
    """Load or build tables and compiled code, by simulating a few rows; returns the number of these rows."""
    schedule = make_schedule(1, 0.1, "random_steps", 0)
    drive = Drive(schedule.plan[:3], schedule.targets[:3], RANDOM_STEPS)
    with nullcontext() if is_sealed() else _compiled_by_one():
        if not is_sealed():
            with _tables_made_meanwhile(refrigerant):
                _compile_simulation(drive)
        run = run_schedule(refrigerant, drive)
        run.predicted()
        gas_temperature(run.tables, 3e5, 4.1e5)
        dy, o = np.empty(ly.N_STATES), np.empty(ly.N_OBSERVED)
        ci.evaluate(run.final, run.controls[0].copy(), run.tables, dy, o)
        seal()
    return {"rows": run.states.shape[0]}


@contextmanager
def _compiled_by_one() -> Iterator[None]:
    """Let other commands that find no compiled code wait: numba's cache should be written by one process only.

    Where a lock cannot be had, on some file systems of clusters, or is not given back, each compiles for itself: files
    appear whole.
    """
    lock = FileLock(code_folder() / LOCK, timeout=SECONDS_TO_COMPILE)
    with suppress(Timeout, OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _tables_made_meanwhile(refrigerant: str) -> Iterator[None]:
    """Have another process make the tables; where it cannot, who needs them does, and says why not.

    It compiles nothing, as only one process may.
    """
    process = fresh_processes().Process(target=_make_tables, args=(refrigerant,), daemon=True)
    with interrupts_held_back():
        process.start()
    yield
    process.join()


def _make_tables(refrigerant: str) -> None:
    follow_parent()
    load_tables(refrigerant)


def _compile_simulation(drive: Drive) -> None:
    """Compile the simulation for the types of its arguments, without the tables."""
    given = simulation_arguments(np.empty(ly.N_STATES), drive, Tables.empty(), SUBSTEPS, 1)
    simulate.compile(tuple(map(numba.typeof, given)))  # type: ignore[attr-defined]
