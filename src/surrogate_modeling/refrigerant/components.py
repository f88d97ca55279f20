"""Compiled models of the components: cell state, heat transfer, compressor, expansion valve, air side.

Units are SI; symbols and sources are in this folder's README. Sizes are typical of a compact car, not of a
particular one.
"""

from __future__ import annotations

import numpy as np

from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.properties import (
    FACTOR_L,
    FACTOR_V,
    HL,
    HV,
    NODES_LIQUID,
    NODES_VAPOUR,
    TSAT,
    VL,
    VV,
    Tables,
    gas_state,
    isentropic_enthalpy,
    patch_gradient,
    patch_value,
    saturated,
    saturated_slope,
)

# Saturation state of one side of the circuit, as ``side_state`` fills it.
(
    P,
    INTERVAL,
    LOCAL,
    T_SAT,
    H_L,
    H_V,
    V_L,
    V_V,
    SLOPE_HL,
    SLOPE_HV,
    SLOPE_VL,
    SLOPE_VV,
    ALPHA_L,
    ALPHA_V,
    P_REDUCED,
) = range(15)
N_SIDE = 15

ROUNDING = 0.04  # half width in quality of the rounded saturated-liquid kink of tube cells

# Compressor: electric scroll. Volumetric slope and best isentropic efficiency after Cuevas et al. (2010).
DISPLACEMENT = 33e-6  # m3/rev
ELECTRO_MECHANICAL = 0.90
UA_SHELL_GAS, UA_SHELL_BAY, C_SHELL = 25.0, 4.0, 3600.0  # W/K, W/K, J/K
CP_GAS = 1000.0  # J/kg/K, discharge gas, for the shell's exchange only

# Line losses K in dp = K m^2 / rho, 1/m4.
K_SUCTION, K_DISCHARGE, K_LIQUID, K_EVAPORATOR = 1.6e8, 1.53e9, 1.2e10, 7.0e8

CDA_VALVE = 1.5e-6  # m2, discharge coefficient times the bore of the fully open valve
VALVE_RANGE = 10.0  # K of superheat from nearly closed to nearly open
VALVE_LINEAR_BELOW = 0.2e5  # Pa; keeps the flow's slope finite at zero pressure difference

LATENT_HEAT = 2.45e6  # J/kg, water near 20 degC
CP_AIR, R_AIR = 1006.0, 287.05


@compiled
def side_state(tables: Tables, p: float, out: np.ndarray) -> None:
    """Saturation properties at the pressure of one side; slopes are with respect to u = ln p."""
    du = tables.grid[1]
    z = (np.log(p) - tables.grid[0]) / du
    i = min(max(int(z), 0), tables.sat.shape[0] - 1)
    s = z - i
    out[P], out[INTERVAL], out[LOCAL] = p, i, s
    out[T_SAT] = saturated(tables.sat, i, s, TSAT)
    out[H_L], out[SLOPE_HL] = saturated(tables.sat, i, s, HL), saturated_slope(tables.sat, i, s, HL, du)
    out[H_V], out[SLOPE_HV] = saturated(tables.sat, i, s, HV), saturated_slope(tables.sat, i, s, HV, du)
    out[V_L], out[SLOPE_VL] = saturated(tables.sat, i, s, VL), saturated_slope(tables.sat, i, s, VL, du)
    out[V_V], out[SLOPE_VV] = saturated(tables.sat, i, s, VV), saturated_slope(tables.sat, i, s, VV, du)
    out[ALPHA_L] = saturated(tables.sat, i, s, FACTOR_L)
    out[ALPHA_V] = saturated(tables.sat, i, s, FACTOR_V)
    out[P_REDUCED] = p / tables.grid[5]


@compiled
def cell_state(tables: Tables, side: np.ndarray, h: float, rounded: bool) -> tuple[float, float, float, float, float]:
    """Specific volume v, (dv/dh)_p, (dv/dp)_h, T and quality x (below 0 liquid, above 1 vapour) of a cell."""
    i, s = int(side[INTERVAL]), side[LOCAL]
    du = tables.grid[1]
    latent = side[H_V] - side[H_L]
    x = (h - side[H_L]) / latent
    if x > 1.0:
        z = (h - side[H_V]) / tables.grid[2]
        j = min(int(z), NODES_VAPOUR - 2)
        c = tables.vapour[i, j]
        v, v_s, v_t = patch_gradient(c[0], s, z - j)
        v_h = v_t / tables.grid[2]
        v_u = v_s / du - v_h * side[SLOPE_HV]
        return v, v_h, v_u / side[P], patch_value(c[1], s, z - j), x
    if x < 0.0:
        z = -x * latent / tables.grid[3]
        j = min(int(z), NODES_LIQUID - 2)
        c = tables.liquid[i, j]
        v, v_s, v_t = patch_gradient(c[0], s, z - j)
        v_h = -v_t / tables.grid[3]
        v_u = v_s / du - v_h * side[SLOPE_HL]
        temperature = patch_value(c[1], s, z - j)
    else:
        v, v_h, v_u, temperature = side[V_L], 0.0, side[SLOPE_VL], side[T_SAT]
    x_u = -(side[SLOPE_HL] + x * (side[SLOPE_HV] - side[SLOPE_HL])) / latent
    dv = side[V_V] - side[V_L]
    dv_u = side[SLOPE_VV] - side[SLOPE_VL]
    # Quality that counts for the volume: x itself, or a parabola through the kink. A cell crossing the kink
    # would otherwise change its compressibility by orders of magnitude at once, and the flow with it.
    part, slope = 0.0, 0.0
    if not rounded or x >= ROUNDING:
        if x > 0.0:
            part, slope = x, 1.0
    elif x > -ROUNDING:
        part, slope = (x + ROUNDING) ** 2 / (4.0 * ROUNDING), (x + ROUNDING) / (2.0 * ROUNDING)
    v += dv * part
    v_h += dv * slope / latent
    v_u += dv_u * part + dv * slope * x_u
    return v, v_h, v_u / side[P], temperature, x


@compiled
def smooth_step(z: float) -> float:
    """0 below z = 0, 1 above z = 1, smooth between."""
    if z <= 0.0:
        return 0.0
    if z >= 1.0:
        return 1.0
    return z * z * (3.0 - 2.0 * z)


@compiled
def refrigerant_side(side: np.ndarray, flux: float, diameter: float, x: float, boiling: bool) -> float:
    """Heat transfer coefficient [W/m2/K] at mass flux [kg/m2/s] and quality.

    Dittus-Boelter for one phase; Shah (1979) for condensation; Gungor and Winterton (1987) for boiling, with
    the boiling number at a fixed 5 kW/m2 (the wall's own flux would make the coefficient implicit).
    """
    turbulent = (abs(flux) + 1e-9) ** 0.8 * diameter**-0.2
    liquid, vapour = side[ALPHA_L] * turbulent, side[ALPHA_V] * turbulent
    liquid, vapour = max(liquid, 150.0), max(vapour, 30.0)
    if x <= -0.05:
        return liquid
    if x >= 1.05:
        return vapour
    y = min(max(x, 1e-3), 1.0 - 1e-3)
    if boiling:
        number = 5000.0 / ((abs(flux) + 1.0) * (side[H_V] - side[H_L]))
        nucleate = 1.0 + 3000.0 * number**0.86
        convective = 1.12 * y**0.75 * (1.0 - y) ** 0.05 * (side[V_V] / side[V_L]) ** 0.41
        two_phase = side[ALPHA_L] * turbulent * ((1.0 - y) ** 0.8 * nucleate + convective)
        dry = smooth_step((x - 0.75) / 0.30)
    else:
        film = 3.8 * y**0.76 * (1.0 - y) ** 0.04 / side[P_REDUCED] ** 0.38
        two_phase = side[ALPHA_L] * turbulent * ((1.0 - y) ** 0.8 + film)
        dry = smooth_step((x - 0.92) / 0.13)
    two_phase = max(two_phase, 400.0)
    if x < 0.05:
        wet = smooth_step((x + 0.05) / 0.10)
        return liquid + wet * (two_phase - liquid)
    return two_phase + dry * (vapour - two_phase)


@compiled
def compressor(
    tables: Tables, speed: float, pressures: tuple[float, float], h_in: float, t_shell: float, out: np.ndarray
) -> None:
    """Compressor model: fill ``out`` with m [kg/s], h discharge [J/kg], electric power [W], suction p, discharge p
    [Pa], v suction, heat shell to gas [W], T suction [K], v discharge.

    Mass flow and the losses of both lines depend on each other. Density falls nearly in proportion to the
    suction pressure, so five Newton steps with that slope leave a relative error of the flow below 1e-5
    even at 7000 rpm.
    """
    p_low, p_high = pressures
    m, m_electric, h_out, heat = 0.0, 0.0, h_in, 0.0
    p_suction, p_discharge = p_low, p_high
    v_in, t_in, entropy = gas_state(tables, p_low, h_in)
    v_out = v_in * p_low / max(p_high, p_low)
    for iteration in range(5):
        loss = min(K_SUCTION * m * m * v_in, 0.5 * p_low)
        p_suction = p_low - loss
        p_discharge = p_high + K_DISCHARGE * m * m * v_out
        v_in, t_in, entropy = gas_state(tables, p_suction, h_in)
        ratio = p_discharge / p_suction
        new = (1.0 - 0.0202 * (ratio - 1.3)) * DISPLACEMENT * max(speed, 0.0) / v_in
        m = new if iteration == 0 else m + (new - m) / (1.0 + 2.0 * loss / p_suction)
        # A pressure ratio below one costs no work: the scroll lets the gas through.
        ideal = max(isentropic_enthalpy(tables, max(p_discharge, p_suction), entropy) - h_in, 0.0)
        d = ratio - 2.6
        rpm = 60.0 * speed
        efficiency = 0.72 * (1.0 - 0.036 * d * d / (1.0 + 0.35 * abs(d)) - 0.08 * ((rpm - 4500.0) / 4500.0) ** 2)
        work = ideal / max(efficiency, 0.30)
        m_electric = m * work / ELECTRO_MECHANICAL
        # The shell exchanges heat with the compressed gas. Written per kg, so that at standstill the gas in
        # the outlet takes the shell's temperature instead of jumping.
        _, t_hot, _ = gas_state(tables, max(p_discharge, p_suction), h_in + work)
        effect = 1.0 - np.exp(-UA_SHELL_GAS / (CP_GAS * m + 1e-9))
        per_kg = CP_GAS * effect * (t_shell - t_hot)
        heat, h_out = m * per_kg, h_in + work + per_kg
        v_out, _, _ = gas_state(tables, max(p_discharge, p_suction), h_out)
    out[0], out[1], out[2] = m, h_out, m_electric
    out[3], out[4], out[5], out[6], out[7], out[8] = p_suction, p_discharge, v_in, heat, t_in, v_out


@compiled
def valve_opening(t_bulb: float, t_sat: float, superheat_set: float) -> float:
    """Opening 0.02..1 of the thermostatic expansion valve; half open 5 K above the static superheat."""
    return 0.02 + 0.98 / (1.0 + np.exp(-4.0 * ((t_bulb - t_sat - superheat_set) / VALVE_RANGE - 0.5)))


@compiled
def valve_flow(opening: float, p_high: float, p_low: float, v_in: float, v_evaporator: float) -> float:
    """Mass flow [kg/s] through liquid line, orifice and evaporator in series; never backwards."""
    dp = p_high - p_low
    if dp <= 0.0:
        return 0.0
    cda = CDA_VALVE * opening
    resistance = v_in / (2.0 * cda * cda) + K_LIQUID * v_in + K_EVAPORATOR * v_evaporator
    if dp < VALVE_LINEAR_BELOW:
        return np.sqrt(VALVE_LINEAR_BELOW / resistance) * dp / VALVE_LINEAR_BELOW
    return np.sqrt(dp / resistance)
