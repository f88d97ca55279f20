"""Compute the columns of a case and the conservation diagnostics from recorded states."""

from __future__ import annotations

import numpy as np

from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.columns import PREDICTED
from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.components import H_L, H_V, N_SIDE, T_SAT, cell_state, side_state
from surrogate_modeling.refrigerant.properties import P_MAX_REDUCED, Tables, gas_state

BAR = 1e-5
KELVIN = ly.ZERO_CELSIUS
N_PREDICTED = len(PREDICTED)


@compiled
def state_at(tables: Tables, p: float, h: float) -> tuple[float, float, float, float]:
    """State at a pressure and enthalpy: v [m3/kg], T [K], saturation temperature [K], quality."""
    side = np.empty(N_SIDE)
    side_state(tables, p, side)
    v, _, _, t, x = cell_state(tables, side, h, False)
    return v, t, side[T_SAT], x


@compiled
def predicted_rows(tables: Tables, observed: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Predicted columns, in the order of ``columns.PREDICTED``, for recorded rows."""
    out = np.empty((observed.shape[0], N_PREDICTED))
    for row in range(observed.shape[0]):
        o, y, r = observed[row], states[row], out[row]
        _, _, t_sat, _ = state_at(tables, o[ly.O_P_SUC], o[ly.O_H_SUC])
        r[0], r[1], r[2] = o[ly.O_P_SUC] * BAR, o[ly.O_T_SUC] - KELVIN, t_sat - KELVIN
        r[3], r[4], r[5] = o[ly.O_H_SUC], o[ly.O_M] * 1e3, 1.0 / o[ly.O_V_SUC]
        v, t, t_sat, _ = state_at(tables, o[ly.O_P_DIS], o[ly.O_H_DIS])
        r[6], r[7], r[8] = o[ly.O_P_DIS] * BAR, t - KELVIN, t_sat - KELVIN
        r[9], r[10] = o[ly.O_H_DIS], 1.0 / v
        r[11], r[12], r[13] = y[ly.P_HIGH] * BAR, o[ly.O_T_COND] - KELVIN, o[ly.O_H_COND]
        r[14], r[15] = o[ly.O_M_REC] * 1e3, 1.0 / o[ly.O_V_COND]
        v, t, _, _ = state_at(tables, o[ly.O_P_EVIN], o[ly.O_H_VALVE])
        r[16], r[17], r[18] = o[ly.O_P_EVIN] * BAR, t - KELVIN, o[ly.O_H_VALVE]
        r[19], r[20] = o[ly.O_M_VALVE] * 1e3, 1.0 / v
        v, t, _, _ = state_at(tables, o[ly.O_P_EVOUT], o[ly.O_H_VALVE])
        r[21], r[22], r[23] = o[ly.O_P_EVOUT] * BAR, t - KELVIN, 1.0 / v
        r[24], r[25], r[26] = y[ly.P_LOW] * BAR, o[ly.O_T_EVA] - KELVIN, o[ly.O_H_EVA]
        r[27], r[28] = o[ly.O_M_EVA] * 1e3, 1.0 / o[ly.O_V_EVA]
        r[29], r[30], r[31] = o[ly.O_Q_COND] * 1e-3, o[ly.O_FAN_W] * 1e-3, o[ly.O_BLOWER_W] * 1e-3
        r[32] = o[ly.O_T_COND_AIR] - KELVIN
        r[33], r[34] = o[ly.O_T_EVA] - o[ly.O_TSAT_LOW], o[ly.O_TSAT_HIGH] - o[ly.O_T_SUB]
        r[35], r[36] = o[ly.O_OPENING] * 100.0, o[ly.O_LATENT] * 1e-3
        r[37], r[38] = o[ly.O_LEVEL] * 100.0, o[ly.O_AIR_SPEED]
        r[39], r[40] = o[ly.O_POWER] * 1e-3, o[ly.O_Q_EVA] * 1e-3
        r[41] = (o[ly.O_POWER] + o[ly.O_FAN_W] + o[ly.O_BLOWER_W] + ly.OTHER_POWER) * 1e-3
        r[42] = o[ly.O_T_EVA_AIR] - KELVIN
    return out


@compiled
def soaked_start(tables: Tables, t_ambient: float, charge: float, y: np.ndarray) -> float:
    """Fill ``y`` with the circuit at rest at one temperature [K] and the exact charge [kg].

    Both sides at saturation pressure; the evaporator half vapour by enthalpy, its line dry, the rest of
    the charge spread evenly over the high side. Returns the quality there; at 0 or 1 the charge does
    not fit.
    """
    side = np.empty(N_SIDE)
    low, high = np.log(0.5e5), np.log(P_MAX_REDUCED * tables.grid[5])
    for _ in range(60):
        middle = 0.5 * (low + high)
        side_state(tables, np.exp(middle), side)
        if side[T_SAT] < t_ambient:
            low = middle
        else:
            high = middle
    y[:] = 0.0
    y[ly.P_HIGH] = y[ly.P_LOW] = np.exp(0.5 * (low + high))
    latent = side[H_V] - side[H_L]
    mass_low = 0.0
    for i in range(ly.N_HIGH, ly.N_CELLS):
        y[ly.H0 + i] = side[H_V] + 1e3 if i == ly.N_CELLS - 1 else side[H_L] + 0.5 * latent
        mass_low += ly.VOLUMES[i] / cell_state(tables, side, y[ly.H0 + i], True)[0]
    wet, dry, mass_high = 0.0, 1.0, 0.0
    for _ in range(60):
        x = 0.5 * (wet + dry)
        mass_high = 0.0
        for i in range(ly.N_HIGH):
            y[ly.H0 + i] = side[H_L] + x * latent
            mass_high += ly.VOLUMES[i] / cell_state(tables, side, y[ly.H0 + i], i != ly.RECEIVER)[0]
        if mass_high + mass_low > charge:
            wet = x
        else:
            dry = x
    y[ly.M_HIGH], y[ly.M_LOW] = mass_high, mass_low
    y[ly.W0 : ly.W0 + 16] = t_ambient
    y[ly.SHELL] = y[ly.BULB] = t_ambient
    return 0.5 * (wet + dry)


@compiled
def gas_temperature(tables: Tables, p: float, h: float) -> float:
    """Temperature [K] of vapour, for Python callers that must not compile anew."""
    return gas_state(tables, p, h)[1]
