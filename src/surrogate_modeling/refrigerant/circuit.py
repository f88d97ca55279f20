"""Right-hand side of the circuit: 45 states, one uniform pressure per side, energy and mass conserving cells.

Shapes: 18 refrigerant cells, of which 0..7 condenser, 8 receiver, 9..10 subcooler (high side), 11..16
evaporator, 17 suction line (low side); 16 walls: 0..7 condenser, 8..9 subcooler, 10..15 evaporator.
"""

from __future__ import annotations

import numpy as np

from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.components import (
    C_SHELL,
    CP_AIR,
    H_L,
    H_V,
    K_EVAPORATOR,
    K_LIQUID,
    LATENT_HEAT,
    N_SIDE,
    P_AIR,
    R_AIR,
    T_SAT,
    UA_SHELL_BAY,
    V_L,
    cell_state,
    compressor,
    humidity_ratio,
    refrigerant_side,
    saturated_humidity,
    side_state,
    smooth_step,
    valve_flow,
    valve_opening,
)
from surrogate_modeling.refrigerant.properties import DEPTH_LIQUID, DEPTH_VAPOUR, P_MAX_REDUCED, P_MIN, Tables

# States. H0..H0+17 cell enthalpies, W0..W0+15 wall temperatures.
P_HIGH, P_LOW, H0, W0 = 0, 1, 2, 20
SHELL, BULB, SPEED, FAN, BLOWER, M_HIGH, M_LOW, E_IN, W_IN = range(36, 45)
N_STATES = 45

# Controls, in the order of the case's columns (units of the columns).
COMP_N, VEH_V, FAN_DUTY, AMB_T, EVA_T, EVA_RH, BLOWER_FLOW, SH_SET, BAY_T = range(9)
N_CONTROLS = 9

# Observed quantities, SI.
(
    O_M,
    O_H_DIS,
    O_POWER,
    O_P_SUC,
    O_P_DIS,
    O_V_SUC,
    O_T_SUC,
    O_V_DIS,
    O_M_VALVE,
    O_H_VALVE,
    O_V_VALVE,
    O_P_EVIN,
    O_P_EVOUT,
    O_T_COND,
    O_H_COND,
    O_V_COND,
    O_M_REC,
    O_LEVEL,
    O_T_SUB,
    O_TSAT_HIGH,
    O_TSAT_LOW,
    O_T_EVA,
    O_H_EVA,
    O_V_EVA,
    O_M_EVA,
    O_V_EVIN,
    O_T_EVOUT,
    O_V_EVOUT,
    O_OPENING,
    O_Q_COND,
    O_Q_EVA,
    O_LATENT,
    O_T_COND_AIR,
    O_T_EVA_AIR,
    O_AIR_SPEED,
    O_FAN_W,
    O_BLOWER_W,
    O_MASS,
    O_ENERGY,
    O_DP_HIGH,
    O_DP_LOW,
    O_Q_REF_COND,
    O_Q_REF_EVA,
    O_OUTSIDE,
    O_UNSOLVED,
    O_H_SUC,
    O_Q_OTHER,
    O_RESERVE,
) = range(48)
N_OBSERVED = 48

N_COND, RECEIVER, N_HIGH, N_EVA, N_LOW, N_CELLS = 8, 8, 11, 6, 7, 18

V_COND, V_RECEIVER, V_SUB, V_EVAPORATOR, V_SUCTION = 0.55e-3, 0.35e-3, 0.06e-3, 0.55e-3, 0.30e-3  # m3
VOLUMES = np.array([V_COND / 8] * 8 + [V_RECEIVER] + [V_SUB / 2] * 2 + [V_EVAPORATOR / 6] * 6 + [V_SUCTION])
AREA_COND, AREA_SUB, AREA_EVA = 0.95 / 8, 0.22 / 2, 0.85 / 6  # m2 of refrigerant side per cell
FLOW_COND, FLOW_SUB, FLOW_EVA = 1.1e-4, 0.5e-4, 3.5e-4  # m2
DH_COND, DH_EVA = 1e-3, 2e-3  # m
FACE_COND, FACE_EVA = 0.235, 0.055  # m2
AIR_COND, AIR_EVA = (
    5.2 / 10,
    3.2 / 6,
)  # m2 of air side per cell; condenser and subcooler share the face 80 : 20
WALL_COND, WALL_EVA = 190.0, 250.0  # J/K per cell
UA_SUCTION = 2.5  # W/K
LEVEL_LOW = 0.06  # receiver level below which vapour is drawn along
MASS_CORRECTION = 0.5  # 1/s
OTHER_POWER = 60.0  # W, electronics and pump
TAU_SPEED, TAU_FAN, TAU_BLOWER, TAU_BULB = 0.6, 1.5, 1.0, 4.0  # s
ZERO_CELSIUS = 273.15


@compiled
def _limited(h_donor: float, h_receiving: float, g_receiving: float) -> float:
    """Donor enthalpy no lower than the receiving cell can take without its own flow reversing."""
    return max(h_donor, h_receiving - 0.95 / abs(g_receiving))


@compiled
def solve_flows(
    first: int,
    count: int,
    h: np.ndarray,
    rho: np.ndarray,
    g: np.ndarray,
    rho_p: np.ndarray,
    heat: np.ndarray,
    m_in: float,
    h_in: float,
    m_out: float,
    h_out: float,
    h_receiver_out: float,
    guess: float,
    flow: np.ndarray,
    donor: np.ndarray,
) -> tuple[float, bool]:
    """dp/dt of a side such that marching from the known inflow arrives at the known outflow.

    For a trial dp/dt every interface flow follows from the one before, and its sign decides the donor; the
    mismatch at the outlet is piecewise linear and falling in dp/dt, so a bracketed Newton needs 1-3 rounds.
    Returns dp/dt and whether it was solved; fills interface flows and donor enthalpies (count + 1).
    """
    low, high = -1e30, 1e30
    rate = guess
    solved = False
    for _ in range(30):
        m, dm, h_up = m_in, 0.0, _limited(h_in, h[first], g[first])
        flow[0], donor[0] = m, h_up
        for k in range(count):
            i = first + k
            taken = 1.0 - g[i] * (h_up - h[i])
            capacity = VOLUMES[i] * (rho_p[i] + g[i])
            value = m * taken - capacity * rate - g[i] * heat[i]
            slope = dm * taken - capacity
            if k == count - 1:
                given = 1.0 - g[i] * (h_out - h[i])
                mismatch, slope = value - given * m_out, slope
                flow[count], donor[count] = m_out, h_out
                break
            if value >= 0.0:
                source = h_receiver_out if i == RECEIVER else h[i]
                h_up = _limited(source, h[i + 1], g[i + 1])
            else:
                h_up = _limited(h[i + 1], h[i], g[i])
            given = 1.0 - g[i] * (h_up - h[i])
            m, dm = value / given, slope / given
            flow[k + 1], donor[k + 1] = m, h_up
        if abs(mismatch) < 1e-13 + 1e-11 * (abs(m_in) + abs(m_out)):
            solved = True
            break
        if mismatch > 0.0:
            low = rate
        else:
            high = rate
        step = rate - mismatch / slope
        if step <= low or step >= high:
            step = 0.5 * (low + high)
        rate = step
    return rate, solved


@compiled
def evaluate(y: np.ndarray, c: np.ndarray, tables: Tables, dy: np.ndarray, o: np.ndarray) -> None:
    """Time derivatives ``dy`` of states ``y`` under controls ``c``, and the observed quantities ``o``."""
    h, rho, g = np.empty(N_CELLS), np.empty(N_CELLS), np.empty(N_CELLS)
    rho_p, temp, x, heat = np.empty(N_CELLS), np.empty(N_CELLS), np.empty(N_CELLS), np.zeros(N_CELLS)
    high, low = np.empty(N_SIDE), np.empty(N_SIDE)
    machine = np.empty(9)
    flow, donor = np.empty(N_HIGH + 1), np.empty(N_HIGH + 1)
    p_high, p_low = y[P_HIGH], y[P_LOW]
    side_state(tables, p_high, high)
    side_state(tables, p_low, low)
    p_max = P_MAX_REDUCED * tables.grid[5]
    outside = 0.0
    if not (P_MIN < p_high < p_max and P_MIN < p_low < p_max):
        outside += 1.0
    mass_high, mass_low, energy = 0.0, 0.0, 0.0
    for i in range(N_CELLS):
        side = high if i < N_HIGH else low
        h[i] = y[H0 + i]
        v, v_h, v_p, temp[i], x[i] = cell_state(tables, side, h[i], i != RECEIVER)
        if h[i] > side[H_V] + DEPTH_VAPOUR or h[i] < side[H_L] - DEPTH_LIQUID or not np.isfinite(h[i]):
            outside += 1.0
        rho[i], g[i], rho_p[i] = 1.0 / v, -v_h / v, -v_p / (v * v)
        if i < N_HIGH:
            mass_high += VOLUMES[i] * rho[i]
        else:
            mass_low += VOLUMES[i] * rho[i]
        energy += VOLUMES[i] * (rho[i] * h[i] - side[0])

    level = (1.0 - x[RECEIVER]) * high[V_L] * rho[RECEIVER]
    level = min(max(level, 0.0), 1.0)
    h_receiver = h[RECEIVER]
    if 0.0 < x[RECEIVER] < 1.0:
        h_receiver += smooth_step(level / LEVEL_LOW) * (high[H_L] - h[RECEIVER])

    compressor(tables, y[SPEED], p_low, p_high, h[N_CELLS - 1], y[SHELL], machine)
    m_comp, h_dis = machine[0], machine[1]
    v_eva = 0.0
    for i in range(N_HIGH, N_HIGH + N_EVA):
        v_eva += 1.0 / (rho[i] * N_EVA)
    opening = valve_opening(y[BULB], low[T_SAT], c[SH_SET])
    last, first_low = N_HIGH - 1, N_HIGH
    m_valve = valve_flow(opening, p_high, p_low, 1.0 / rho[last], v_eva)
    h_valve = _limited(h[last], h[first_low], g[first_low])

    # Condenser and subcooler: air, wall, refrigerant.
    t_amb = c[AMB_T] + ZERO_CELSIUS
    speed = np.sqrt((0.16 * c[VEH_V] / 3.6) ** 2 + (4.2 * y[FAN]) ** 2 + 0.15**2)
    air = speed * FACE_COND * P_AIR / (R_AIR * t_amb) * CP_AIR / 10.0
    effect = 1.0 - np.exp(-95.0 * (speed / 3.0) ** 0.55 * AIR_COND * 0.88 / air)
    q_cond, q_ref_cond = 0.0, 0.0
    for k in range(10):
        i = k if k < N_COND else k + 1
        m_local = abs(m_comp + (m_valve - m_comp) * (i + 0.5) / N_HIGH)
        if k < N_COND:
            alpha = refrigerant_side(high, m_local / FLOW_COND, DH_COND, x[i], False) * AREA_COND
        else:
            alpha = refrigerant_side(high, m_local / FLOW_SUB, DH_COND, x[i], False) * AREA_SUB
        wall = y[W0 + k]
        heat[i] = alpha * (wall - temp[i])
        q_ref_cond -= heat[i]
        from_air = effect * air * (t_amb - wall)
        q_cond -= from_air
        dy[W0 + k] = (from_air - heat[i]) / WALL_COND

    # Evaporator: the walls also collect water from air above their dew point.
    t_air = c[EVA_T]
    m_air = max(y[BLOWER], 0.0) / 3600.0 * P_AIR / (R_AIR * (t_air + ZERO_CELSIUS))
    air_cell = m_air / N_EVA + 1e-9
    face_speed = max(y[BLOWER], 0.0) / 3600.0 / FACE_EVA
    effect_eva = 1.0 - np.exp(-72.0 * np.sqrt(face_speed / 2.0) * AIR_EVA * 0.86 / (air_cell * CP_AIR))
    humidity = humidity_ratio(t_air, 0.01 * c[EVA_RH])
    sensible, latent, q_ref_eva = 0.0, 0.0, 0.0
    for k in range(N_EVA):
        i = N_HIGH + k
        m_local = abs(m_valve + (m_comp - m_valve) * (k + 0.5) / N_LOW)
        alpha = refrigerant_side(low, m_local / FLOW_EVA, DH_EVA, x[i], True) * AREA_EVA
        wall = y[W0 + 10 + k]
        heat[i] = alpha * (wall - temp[i])
        q_ref_eva += heat[i]
        dry = effect_eva * air_cell * CP_AIR * (t_air + ZERO_CELSIUS - wall)
        excess = humidity - saturated_humidity(wall - ZERO_CELSIUS)
        wet = effect_eva * air_cell * max(excess, 0.0) * LATENT_HEAT
        sensible += dry
        latent += wet
        dy[W0 + 10 + k] = (dry + wet - heat[i]) / WALL_EVA
    t_bay = c[BAY_T] + ZERO_CELSIUS
    heat[N_CELLS - 1] = UA_SUCTION * (t_bay - temp[N_CELLS - 1])

    unsolved = 0.0
    for part in range(2):
        first, count = (0, N_HIGH) if part == 0 else (N_HIGH, N_LOW)
        m_in, m_out = (m_comp, m_valve) if part == 0 else (m_valve, m_comp)
        h_in = h_dis if part == 0 else h_valve
        h_out = h_valve if part == 0 else h[N_CELLS - 1]
        rate, solved = solve_flows(
            first, count, h, rho, g, rho_p, heat, m_in, h_in, m_out, h_out, h_receiver, 0.0, flow, donor
        )
        if not solved:
            unsolved += 1.0
        stiffness = 0.0
        for i in range(first, first + count):
            stiffness += VOLUMES[i] * (rho_p[i] + g[i])
        held, known = (mass_high, y[M_HIGH]) if part == 0 else (mass_low, y[M_LOW])
        rate += MASS_CORRECTION * (known - held) / stiffness
        for k in range(count):
            i = first + k
            gain = flow[k] * (donor[k] - h[i]) - flow[k + 1] * (donor[k + 1] - h[i]) + heat[i]
            dy[H0 + i] = (gain / VOLUMES[i] + rate) / rho[i]
        dy[part] = rate
        if part == 0:
            o[O_M_REC] = flow[RECEIVER + 1]
        else:
            o[O_M_EVA] = flow[N_EVA]

    fan_w = 420.0 * max(y[FAN], 0.0) ** 3 + 15.0
    blower_w = 260.0 * (max(y[BLOWER], 0.0) / 500.0) ** 3
    power, shell_heat = machine[2], machine[6]
    from_bay = UA_SHELL_BAY * (t_bay - y[SHELL])
    dy[SHELL] = ((1.0 - 0.90) * power - shell_heat + from_bay) / C_SHELL
    dy[BULB] = (temp[N_HIGH + N_EVA - 1] - y[BULB]) / TAU_BULB
    dy[SPEED] = (c[COMP_N] / 60.0 - y[SPEED]) / TAU_SPEED
    dy[FAN] = (0.01 * c[FAN_DUTY] - y[FAN]) / TAU_FAN
    dy[BLOWER] = (c[BLOWER_FLOW] - y[BLOWER]) / TAU_BLOWER
    dy[M_HIGH] = m_comp - m_valve
    dy[M_LOW] = m_valve - m_comp
    other = from_bay + heat[N_CELLS - 1]
    dy[E_IN] = sensible + latent - q_cond + power + other
    dy[W_IN] = power

    for i in range(16):
        energy += y[W0 + i] * (WALL_COND if i < 10 else WALL_EVA)
    energy += C_SHELL * y[SHELL]
    o[O_M], o[O_H_DIS], o[O_POWER], o[O_P_SUC], o[O_P_DIS] = m_comp, h_dis, power, machine[3], machine[4]
    o[O_V_SUC], o[O_T_SUC], o[O_V_DIS], o[O_H_SUC] = machine[5], machine[7], machine[8], h[N_CELLS - 1]
    o[O_M_VALVE], o[O_H_VALVE], o[O_V_VALVE] = m_valve, h[last], 1.0 / rho[last]
    o[O_P_EVIN] = p_high - K_LIQUID * m_valve * m_valve / rho[last]
    o[O_P_EVOUT] = p_low + K_EVAPORATOR * m_valve * m_valve * v_eva
    o[O_T_COND], o[O_H_COND], o[O_V_COND] = temp[N_COND - 1], h[N_COND - 1], 1.0 / rho[N_COND - 1]
    o[O_LEVEL], o[O_T_SUB], o[O_TSAT_HIGH], o[O_TSAT_LOW] = level, temp[last], high[T_SAT], low[T_SAT]
    eva = N_HIGH + N_EVA - 1
    o[O_T_EVA], o[O_H_EVA], o[O_V_EVA] = temp[eva], h[eva], 1.0 / rho[eva]
    o[O_OPENING], o[O_Q_COND], o[O_Q_EVA], o[O_LATENT] = opening, q_cond, sensible + latent, latent
    o[O_T_COND_AIR] = t_amb + q_cond / (10.0 * air)
    o[O_T_EVA_AIR] = t_air + ZERO_CELSIUS - sensible / (air_cell * N_EVA * CP_AIR)
    o[O_AIR_SPEED], o[O_FAN_W], o[O_BLOWER_W] = speed, fan_w, blower_w
    o[O_MASS], o[O_ENERGY] = mass_high + mass_low, energy
    o[O_DP_HIGH], o[O_DP_LOW], o[O_Q_REF_COND], o[O_Q_REF_EVA] = dy[0], dy[1], q_ref_cond, q_ref_eva
    o[O_OUTSIDE], o[O_UNSOLVED], o[O_Q_OTHER] = outside, unsolved, other
