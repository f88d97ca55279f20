"""Time stepping: the stabilised explicit method RKC2 and the control unit that drives the compressor.

RKC2 is the second order Runge-Kutta-Chebyshev method of Sommeijer, Shampine and Verwer (J. Comput. Appl.
Math. 88, 1998, 315-326). Its real stability interval grows with the square of the number of stages: 22.8
for 6 stages, or 457 1/s at a step of 0.05 s. The fastest mode of the circuit, the last evaporator cell's, was
seen at 140 1/s over random cases of both refrigerants.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surrogate_modeling.refrigerant.circuit import evaluate
from surrogate_modeling.refrigerant.columns import CONTROL_STEP
from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.families import OPEN_LOOP, PI_CONTROL, THERMOSTAT
from surrogate_modeling.refrigerant.layout import (
    COMP_N,
    N_CONTROLS,
    N_OBSERVED,
    N_STATES,
    O_H_DIS,
    O_OUTSIDE,
    O_P_DIS,
    O_P_SUC,
    O_T_EVA_AIR,
    O_UNSOLVED,
    ZERO_CELSIUS,
)
from surrogate_modeling.refrigerant.properties import Tables, gas_state

STAGES = 6
SUBSTEPS = 2  # of 0.05 s in one control step

# Control unit.
SENSOR, RUNNING, SINCE, COMMAND, INTEGRAL, TRIPS, TRIPPED = range(7)
N_UNIT = 7
TAU_SENSOR = 4.0  # s
SPEED_LOW, SPEED_HIGH = 1000.0, 7000.0  # rpm
MIN_ON, MIN_OFF, TRIP_OFF = 20.0, 15.0, 30.0  # s
RISE, FALL = 2000.0, 4000.0  # rpm/s
GAIN, RESET = 350.0, 20.0  # rpm/K, 1/s expressed as integral time in s
HYSTERESIS = 1.5  # K each side of the target
FROST_NOW, FROST_OFF, FROST_FULL, FROST_ON = -0.5, 0.5, 3.0, 4.0  # degC of the evaporator air sensor
P_DERATE, P_DERATE_END, P_TRIP, P_TRIP_LOW, T_TRIP = 22.5e5, 26.5e5, 27e5, 1.2e5, 398.15


def rkc_coefficients(stages: int) -> np.ndarray:
    """RKC2 coefficients: rows mu, nu, mu~, gamma~ of stages 2..s, mu~1 in the first entry of row 2; damping 2/13."""
    w0 = 1.0 + (2.0 / 13.0) / stages**2
    t, dt, ddt = np.zeros((3, stages + 1))
    t[0], t[1], dt[1] = 1.0, w0, 1.0
    for j in range(2, stages + 1):
        t[j] = 2.0 * w0 * t[j - 1] - t[j - 2]
        dt[j] = 2.0 * t[j - 1] + 2.0 * w0 * dt[j - 1] - dt[j - 2]
        ddt[j] = 4.0 * dt[j - 1] + 2.0 * w0 * ddt[j - 1] - ddt[j - 2]
    w1 = dt[stages] / ddt[stages]
    b = np.empty(stages + 1)
    b[2:] = ddt[2:] / dt[2:] ** 2
    b[0] = b[1] = b[2]
    a = 1.0 - b * t
    out = np.zeros((4, stages + 1))
    out[2, 1] = b[1] * w1
    for j in range(2, stages + 1):
        out[0, j] = 2.0 * b[j] * w0 / b[j - 1]
        out[1, j] = -b[j] / b[j - 2]
        out[2, j] = 2.0 * b[j] * w1 / b[j - 1]
        out[3, j] = -a[j - 1] * out[2, j]
    return out


@compiled
def control_unit(
    family: int, request: float, target: float, o: np.ndarray, t_discharge: float, unit: np.ndarray
) -> float:
    """Compressor speed command [rpm] from the request and the sensor values of 0.1 s before."""
    dt = CONTROL_STEP
    unit[SENSOR] += dt / TAU_SENSOR * (o[O_T_EVA_AIR] - ZERO_CELSIUS - unit[SENSOR])
    unit[SINCE] += dt
    air, running = unit[SENSOR], unit[RUNNING] > 0.5
    demand, on = request, request >= SPEED_LOW
    if family == PI_CONTROL:
        error = air - target
        demand = GAIN * error + unit[INTEGRAL]
        # Integrate only where it does not push further into a limit.
        if (demand < SPEED_HIGH or error < 0.0) and (demand > SPEED_LOW or error > 0.0):
            unit[INTEGRAL] += GAIN / RESET * error * dt
        on = error > -HYSTERESIS if running else error > 0.0
    elif family >= THERMOSTAT:
        on = on and (air > target - HYSTERESIS if running else air > target + HYSTERESIS)
    # Anti-frost and high-pressure derate, then hard limits.
    derate = min(max((air - FROST_OFF) / (FROST_FULL - FROST_OFF), 0.0), 1.0)
    derate *= 1.0 - 0.7 * min(max((o[O_P_DIS] - P_DERATE) / (P_DERATE_END - P_DERATE), 0.0), 1.0)
    on = on and (air > FROST_OFF if running else air > FROST_ON)
    # Ice is worse for an evaporator than a short run is for a compressor: it overrides the minimum on time.
    icing = air < FROST_NOW
    trip = o[O_P_DIS] > P_TRIP or o[O_P_SUC] < P_TRIP_LOW or t_discharge > T_TRIP
    if running:
        if trip or icing or (not on and unit[SINCE] >= MIN_ON):
            unit[RUNNING], unit[SINCE] = 0.0, 0.0
            unit[TRIPPED] = 1.0 if trip else 0.0
            unit[TRIPS] += unit[TRIPPED]
    elif on and not trip and unit[SINCE] >= (TRIP_OFF if unit[TRIPPED] > 0.5 else MIN_OFF):
        unit[RUNNING], unit[SINCE] = 1.0, 0.0
        unit[INTEGRAL] = 2.0 * SPEED_LOW
    goal = 0.0
    if unit[RUNNING] > 0.5:
        goal = min(max(demand * derate, SPEED_LOW), SPEED_HIGH)
    unit[COMMAND] += min(max(goal - unit[COMMAND], -FALL * dt), RISE * dt)
    return unit[COMMAND]


class Drive(NamedTuple):
    """Inputs of a simulation: rows of controls 0.1 s apart (T, 9), air temperature targets (T,), family code."""

    plan: np.ndarray
    targets: np.ndarray
    family: int


class Method(NamedTuple):
    """Coefficients of RKC2 (4, stages + 1) and the steps in one control step."""

    coefficients: np.ndarray
    substeps: int


class Recording(NamedTuple):
    """Output arrays for every ``stride``-th row: states, controls and observed quantities."""

    states: np.ndarray
    controls: np.ndarray
    observed: np.ndarray
    stride: int


@compiled
def simulate(
    y: np.ndarray, drive: Drive, tables: Tables, method: Method, recording: Recording, unit: np.ndarray
) -> tuple[int, int]:
    """Integrate ``y`` over the rows of a plan, and record every ``stride``-th row.

    A recorded row holds state, controls and observations at the same instant, with the controls that act from
    then on. ``y`` is left at the last row, or where it failed.

    Returns:
        The row at which a state left the property region (-1: none), and how often an interface flow was not solved.
    """
    step = CONTROL_STEP / method.substeps
    c, o = np.empty(N_CONTROLS), np.empty(N_OBSERVED)
    work = np.empty((5, N_STATES))
    rows, unsolved = drive.plan.shape[0], 0
    _copy(drive.plan[0], c)
    evaluate(y, c, tables, work[0], o)
    for row in range(rows):
        _copy(drive.plan[row], c)
        if drive.family != OPEN_LOOP:
            _, t_discharge, _ = gas_state(tables, o[O_P_DIS], o[O_H_DIS])
            request = drive.plan[row, COMP_N]
            c[COMP_N] = control_unit(drive.family, request, drive.targets[row], o, t_discharge, unit)
        for part in range(method.substeps):
            evaluate(y, c, tables, work[0], o)
            if part == 0:
                if o[O_OUTSIDE] > 0.0 or not np.isfinite(o[O_P_DIS] + work[0, 0] + work[0, 1]):
                    return row, unsolved
                if row % recording.stride == 0:
                    k = row // recording.stride
                    _copy(y, recording.states[k])
                    _copy(c, recording.controls[k])
                    _copy(o, recording.observed[k])
                if row == rows - 1:
                    return -1, unsolved
            unsolved += int(o[O_UNSOLVED]) + _take_step(y, c, tables, method.coefficients, step, (o, work))
    return -1, unsolved


@compiled
def _copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy values: an assignment to a slice takes numba a fifth of a second to compile, each."""
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def _take_step(
    y: np.ndarray,
    c: np.ndarray,
    tables: Tables,
    rkc: np.ndarray,
    step: float,
    space: tuple[np.ndarray, np.ndarray],
) -> int:
    """Advance ``y`` by one step; ``space`` holds observations and the work array, with the derivatives at ``y`` first.

    Returns:
        How often an interface flow was not solved.
    """
    o, work = space
    f0, f, before, now, after = work[0], work[1], work[2], work[3], work[4]
    unsolved = 0
    for i in range(N_STATES):
        before[i] = y[i]
        now[i] = y[i] + rkc[2, 1] * step * f0[i]
    for j in range(2, rkc.shape[1]):
        evaluate(now, c, tables, f, o)
        mu, nu, mu_f, gamma = rkc[0, j], rkc[1, j], rkc[2, j] * step, rkc[3, j] * step
        for i in range(N_STATES):
            after[i] = (1.0 - mu - nu) * y[i] + mu * now[i] + nu * before[i] + mu_f * f[i] + gamma * f0[i]
            before[i] = now[i]
            now[i] = after[i]
        unsolved += int(o[O_UNSOLVED])
    _copy(now, y)
    return unsolved
