"""Reference solutions of the same right-hand side with SciPy's LSODA, an independent integrator."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.refrigerant import circuit as ci
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.case import run_schedule
from surrogate_modeling.refrigerant.columns import CONTROL_STEP
from surrogate_modeling.refrigerant.families import OPEN_LOOP
from surrogate_modeling.refrigerant.integrator import SUBSTEPS, Drive
from surrogate_modeling.refrigerant.observation import predicted_rows
from surrogate_modeling.refrigerant.properties import Tables

# rpm, km/h, %, degC, degC, %, m3/h, K, degC: the operating point for which the specification gives values.
OPERATING_POINT = np.array([3500.0, 40.0, 50.0, 35.0, 27.0, 50.0, 400.0, 5.0, 45.0])
AMPLITUDES = np.array([1500.0, 25.0, 20.0, 2.0, 3.0, 10.0, 100.0, 0.0, 4.0])
PERIODS = np.array([47.0, 83.0, 61.0, 190.0, 130.0, 150.0, 71.0, 100.0, 170.0])  # s

# Absolute tolerance of each state at rtol = 1e-5: Pa, J/kg, K, rev/s, -, m3/h, kg, J.
STATE_ATOL = np.concatenate([[10.0] * 2, [10.0] * 18, [1e-3] * 18, [1e-3, 1e-5, 1e-2], [1e-7] * 2, [1.0] * 2])


def smooth_controls(time_s: np.ndarray | float) -> np.ndarray:
    """Smooth controls: sines around the operating point with different periods."""
    phase = 2.0 * np.pi * np.asarray(time_s)[..., None] / PERIODS
    return OPERATING_POINT + AMPLITUDES * np.sin(phase)


def observe(states: np.ndarray, controls: np.ndarray, tables: Tables) -> np.ndarray:
    """Predicted columns of given states under given controls."""
    observed, dy = np.empty((len(states), ly.N_OBSERVED)), np.empty(ly.N_STATES)
    for k, (y, c) in enumerate(zip(states, controls, strict=True)):
        ci.evaluate(np.ascontiguousarray(y), np.ascontiguousarray(c), tables, dy, observed[k])
    return predicted_rows(tables, observed, np.ascontiguousarray(states))


@dataclass(frozen=True)
class StateTrajectory:
    """States at every control step, and the CPU seconds of their integration."""

    states: np.ndarray
    seconds: float


def by_rkc(start: np.ndarray, refrigerant: str, duration: float, substeps: int = SUBSTEPS) -> StateTrajectory:
    """Integrate with RKC2 under smooth controls, held at the value in the middle of each step."""
    rows = round(duration / CONTROL_STEP) + 1
    return by_rkc_held(start, refrigerant, smooth_controls((np.arange(rows) + 0.5) * CONTROL_STEP), substeps)


def by_rkc_held(start: np.ndarray, refrigerant: str, plan: np.ndarray, substeps: int = SUBSTEPS) -> StateTrajectory:
    """Integrate with RKC2 under controls held over each 0.1 s."""
    began = time.process_time()
    run = run_schedule(refrigerant, Drive(plan, np.zeros(len(plan)), OPEN_LOOP), substeps=substeps, start=start)
    return StateTrajectory(run.states, time.process_time() - began)


def by_lsoda(start: np.ndarray, tables: Tables, duration: float, rtol: float) -> StateTrajectory:
    """Integrate with SciPy's LSODA, which switches between Adams and BDF, under smooth controls."""
    from scipy.integrate import solve_ivp

    dy, o = np.empty(ly.N_STATES), np.empty(ly.N_OBSERVED)
    begin = start.copy()
    # Energies supplied grow without bound; starting them at zero keeps the relative tolerance meaningful.
    begin[ly.E_IN] = begin[ly.W_IN] = 0.0

    def right_hand_side(t: float, y: np.ndarray) -> np.ndarray:
        ci.evaluate(y, smooth_controls(t), tables, dy, o)
        return dy.copy()

    grid = np.arange(round(duration / CONTROL_STEP) + 1) * CONTROL_STEP
    began = time.process_time()
    solution = solve_ivp(
        right_hand_side, (0.0, grid[-1]), begin, "LSODA", grid, rtol=rtol, atol=STATE_ATOL * rtol * 1e5
    )
    seconds = time.process_time() - began
    if not solution.success:
        raise RuntimeError(f"LSODA stopped at {solution.t[-1]:.1f} s: {solution.message}")
    return StateTrajectory(np.ascontiguousarray(solution.y.T), seconds)


def by_lsoda_held(start: np.ndarray, tables: Tables, plan: np.ndarray, rtol: float) -> StateTrajectory:
    """Integrate with LSODA under controls held over each 0.1 s, restarted at every row."""
    from scipy.integrate import ode

    dy, o = np.empty(ly.N_STATES), np.empty(ly.N_OBSERVED)
    states = np.empty((len(plan), ly.N_STATES))
    states[0] = start

    def right_hand_side(_: float, y: np.ndarray, c: np.ndarray) -> np.ndarray:
        ci.evaluate(y, c, tables, dy, o)
        return dy.copy()

    solver = ode(right_hand_side).set_integrator("lsoda", rtol=rtol, atol=STATE_ATOL * rtol * 1e5, nsteps=10000)
    began = time.process_time()
    for row in range(len(plan) - 1):
        y = states[row].copy()
        y[ly.E_IN] = y[ly.W_IN] = 0.0
        solver.set_initial_value(y, 0.0).set_f_params(plan[row])
        states[row + 1] = solver.integrate(CONTROL_STEP)
        if not solver.successful():
            raise RuntimeError(f"LSODA stopped {row * CONTROL_STEP:.1f} s after the start")
    return StateTrajectory(states, time.process_time() - began)


def worst_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, int]:
    """Largest rms difference over standard deviation among columns, and which column it is."""
    deviation = b.std(axis=0)
    ratio = np.sqrt(((a - b) ** 2).mean(axis=0)) / np.where(deviation > 0.0, deviation, np.inf)
    return float(ratio.max()), int(ratio.argmax())


def settled_state(refrigerant: str, controls: np.ndarray, duration: float = 900.0) -> np.ndarray:
    """State after a soft start and a long time under constant controls."""
    rows = round(duration / CONTROL_STEP) + 1
    plan = np.tile(controls, (rows, 1))
    ramp = min(200, rows)
    plan[:ramp, ly.COMP_N] = np.linspace(0.0, controls[ly.COMP_N], ramp)
    run = run_schedule(refrigerant, Drive(plan, np.zeros(rows), OPEN_LOOP), stride=rows)
    if run.failed_at is not None:
        raise RuntimeError(f"{refrigerant} left the property region {run.failed_at:.1f} s after the start")
    return run.final
