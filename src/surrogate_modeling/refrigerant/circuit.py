"""Right-hand side of the circuit: 45 states, one uniform pressure per side, conserving cells.

The indices and the order of cells and walls are in ``layout``.
"""

from __future__ import annotations

import numpy as np

from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.components import (
    C_SHELL,
    ELECTRO_MECHANICAL,
    H_L,
    H_V,
    K_EVAPORATOR,
    K_LIQUID,
    N_SIDE,
    T_SAT,
    UA_SHELL_BAY,
    V_L,
    cell_state,
    compressor,
    side_state,
    smooth_step,
    valve_flow,
    valve_opening,
)
from surrogate_modeling.refrigerant.exchangers import condenser, evaporator
from surrogate_modeling.refrigerant.properties import DEPTH_LIQUID, DEPTH_VAPOUR, P_MAX_REDUCED, P_MIN, Tables


@compiled
def evaluate(y: np.ndarray, c: np.ndarray, tables: Tables, dy: np.ndarray, o: np.ndarray) -> None:
    """Time derivatives ``dy`` of states ``y`` under controls ``c``, and the observed quantities ``o``."""
    cells = np.zeros((ly.N_CELL_ROWS, ly.N_CELLS))
    high, low, machine = np.empty(N_SIDE), np.empty(N_SIDE), np.empty(9)
    side_state(tables, y[ly.P_HIGH], high)
    side_state(tables, y[ly.P_LOW], low)
    _fill_cells(y, tables, high, low, cells, o)
    suction = ly.N_CELLS - 1
    pressures = (y[ly.P_LOW], y[ly.P_HIGH])
    compressor(tables, y[ly.SPEED], pressures, cells[ly.ENTHALPY, suction], y[ly.SHELL], machine)
    m_comp = machine[0]
    v_eva = 0.0
    for i in range(ly.N_HIGH, ly.N_HIGH + ly.N_EVA):
        v_eva += 1.0 / (cells[ly.DENSITY, i] * ly.N_EVA)
    v_liquid = 1.0 / cells[ly.DENSITY, ly.N_HIGH - 1]
    opening = valve_opening(y[ly.BULB], low[T_SAT], c[ly.SH_SET])
    m_valve = valve_flow(opening, y[ly.P_HIGH], y[ly.P_LOW], v_liquid, v_eva)
    condenser(y, c, high, cells, (m_comp, m_valve), (dy, o))
    evaporator(y, c, low, cells, (m_valve, m_comp), (dy, o))
    t_bay = c[ly.BAY_T] + ly.ZERO_CELSIUS
    cells[ly.HEAT, suction] = ly.UA_SUCTION * (t_bay - cells[ly.TEMPERATURE, suction])
    _fill_refrigerant_rates(y, high, cells, m_comp, machine[1], m_valve, dy, o)

    power, from_bay = machine[2], UA_SHELL_BAY * (t_bay - y[ly.SHELL])
    dy[ly.SHELL] = ((1.0 - ELECTRO_MECHANICAL) * power - machine[6] + from_bay) / C_SHELL
    dy[ly.BULB] = (cells[ly.TEMPERATURE, suction - 1] - y[ly.BULB]) / ly.TAU_BULB
    dy[ly.SPEED] = (c[ly.COMP_N] / 60.0 - y[ly.SPEED]) / ly.TAU_SPEED
    dy[ly.FAN] = (0.01 * c[ly.FAN_DUTY] - y[ly.FAN]) / ly.TAU_FAN
    dy[ly.BLOWER] = (c[ly.BLOWER_FLOW] - y[ly.BLOWER]) / ly.TAU_BLOWER
    dy[ly.M_HIGH], dy[ly.M_LOW] = m_comp - m_valve, m_valve - m_comp
    other = from_bay + cells[ly.HEAT, suction]
    dy[ly.E_IN] = o[ly.O_Q_EVA] - o[ly.O_Q_COND] + power + other
    dy[ly.W_IN] = power

    o[ly.O_OPENING], o[ly.O_M_VALVE], o[ly.O_Q_OTHER] = opening, m_valve, other
    o[ly.O_P_EVIN] = y[ly.P_HIGH] - K_LIQUID * m_valve * m_valve * v_liquid
    o[ly.O_P_EVOUT] = y[ly.P_LOW] + K_EVAPORATOR * m_valve * m_valve * v_eva
    _observe(y, high, low, cells, machine, o)


@compiled
def _fill_cells(
    y: np.ndarray, tables: Tables, high: np.ndarray, low: np.ndarray, cells: np.ndarray, o: np.ndarray
) -> None:
    """State of every cell; masses, stored energy, and how many states lie outside the tables."""
    p_max = P_MAX_REDUCED * tables.grid[5]
    outside = 0.0
    if not (P_MIN < y[ly.P_HIGH] < p_max and P_MIN < y[ly.P_LOW] < p_max):
        outside += 1.0
    mass_high, mass_low, energy = 0.0, 0.0, C_SHELL * y[ly.SHELL]
    for i in range(ly.N_CELLS):
        side = high if i < ly.N_HIGH else low
        h = y[ly.H0 + i]
        v, v_h, v_p, temperature, x = cell_state(tables, side, h, i != ly.RECEIVER)
        if h > side[H_V] + DEPTH_VAPOUR or h < side[H_L] - DEPTH_LIQUID or not np.isfinite(h):
            outside += 1.0
        cells[ly.ENTHALPY, i], cells[ly.TEMPERATURE, i], cells[ly.QUALITY, i] = h, temperature, x
        cells[ly.DENSITY, i], cells[ly.SLOPE_H, i], cells[ly.SLOPE_P, i] = 1.0 / v, -v_h / v, -v_p / (v * v)
        if i < ly.N_HIGH:
            mass_high += ly.VOLUMES[i] / v
        else:
            mass_low += ly.VOLUMES[i] / v
        energy += ly.VOLUMES[i] * (h / v - side[0])
    for i in range(16):
        energy += y[ly.W0 + i] * (ly.WALL_COND if i < 10 else ly.WALL_EVA)
    o[ly.O_OUTSIDE], o[ly.O_ENERGY] = outside, energy
    o[ly.O_MASS_HIGH], o[ly.O_MASS_LOW], o[ly.O_MASS] = mass_high, mass_low, mass_high + mass_low


@compiled
def _fill_refrigerant_rates(
    y: np.ndarray,
    high: np.ndarray,
    cells: np.ndarray,
    m_comp: float,
    h_discharge: float,
    m_valve: float,
    dy: np.ndarray,
    o: np.ndarray,
) -> None:
    """Derivatives of both pressures and all cell enthalpies, from the flows at every interface."""
    flow, donor = interfaces = np.empty(ly.N_HIGH + 1), np.empty(ly.N_HIGH + 1)
    h_receiver = cells[ly.ENTHALPY, ly.RECEIVER]
    x = cells[ly.QUALITY, ly.RECEIVER]
    level = min(max((1.0 - x) * high[V_L] * cells[ly.DENSITY, ly.RECEIVER], 0.0), 1.0)
    if 0.0 < x < 1.0:
        h_receiver += smooth_step(level / ly.LEVEL_LOW) * (high[H_L] - h_receiver)
    o[ly.O_LEVEL], o[ly.O_UNSOLVED] = level, 0.0
    # Both sides see the same enthalpy in the valve, so that what one loses the other gains.
    h_valve = _limited(cells[ly.ENTHALPY, ly.N_HIGH - 1], cells, ly.N_HIGH)
    for part in range(2):
        first, count = (0, ly.N_HIGH) if part == 0 else (ly.N_HIGH, ly.N_LOW)
        inlet = (m_comp, h_discharge) if part == 0 else (m_valve, h_valve)
        outlet = (m_valve, h_valve) if part == 0 else (m_comp, cells[ly.ENTHALPY, ly.N_CELLS - 1])
        rate, solved = solve_flows((first, count), cells, inlet, outlet, h_receiver, interfaces)
        if not solved:
            o[ly.O_UNSOLVED] += 1.0
        capacity = 0.0
        for i in range(first, first + count):
            capacity += ly.VOLUMES[i] * (cells[ly.SLOPE_P, i] + cells[ly.SLOPE_H, i])
        missing = y[ly.M_HIGH + part] - o[ly.O_MASS_HIGH + part]
        rate += ly.MASS_CORRECTION * missing / capacity
        for k in range(count):
            i = first + k
            h = cells[ly.ENTHALPY, i]
            gain = flow[k] * (donor[k] - h) - flow[k + 1] * (donor[k + 1] - h) + cells[ly.HEAT, i]
            dy[ly.H0 + i] = (gain / ly.VOLUMES[i] + rate) / cells[ly.DENSITY, i]
        dy[part] = rate
        if part == 0:
            o[ly.O_M_REC] = flow[ly.RECEIVER + 1]
        else:
            o[ly.O_M_EVA] = flow[ly.N_EVA]


@compiled
def _limited(h_donor: float, cells: np.ndarray, receiving: int) -> float:
    """Donor enthalpy no lower than the receiving cell can take without its own flow reversing."""
    return max(h_donor, cells[ly.ENTHALPY, receiving] - 0.95 / abs(cells[ly.SLOPE_H, receiving]))


@compiled
def solve_flows(
    span: tuple[int, int],
    cells: np.ndarray,
    inlet: tuple[float, float],
    outlet: tuple[float, float],
    h_receiver_out: float,
    interfaces: tuple[np.ndarray, np.ndarray],
) -> tuple[float, bool]:
    """dp/dt of a side such that marching from the known inflow arrives at the known outflow.

    For a trial dp/dt every interface flow follows from the one before, and its sign decides the donor; the
    mismatch at the outlet is piecewise linear and falling in dp/dt, so a bracketed Newton needs 1-3 rounds.

    Args:
        span: first cell of the side and how many it has.
        cells: work array, rows as in ``layout``.
        inlet: mass flow [kg/s] and enthalpy [J/kg] into the side.
        outlet: the same out of it.
        h_receiver_out: enthalpy of what leaves the receiver [J/kg].
        interfaces: filled with flows and donor enthalpies, (count + 1,) each.

    Returns:
        dp/dt [Pa/s] and whether it was solved.
    """
    low, high = -1e30, 1e30
    rate, mismatch, slope = 0.0, 0.0, 0.0
    scale = abs(inlet[0]) + abs(outlet[0])
    for _ in range(30):
        mismatch, slope = _march(span, cells, rate, (inlet, outlet), h_receiver_out, interfaces)
        if abs(mismatch) < 1e-13 + 1e-11 * scale:
            return rate, True
        if mismatch > 0.0:
            low = rate
        else:
            high = rate
        rate -= mismatch / slope
        if rate <= low or rate >= high:
            rate = 0.5 * (low + high)
    return rate, False


@compiled
def _march(
    span: tuple[int, int],
    cells: np.ndarray,
    rate: float,
    ends: tuple[tuple[float, float], tuple[float, float]],
    h_receiver_out: float,
    interfaces: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """Compute the interface flows of a trial dp/dt; returns the mismatch at the outlet and its slope over dp/dt."""
    (first, count), (flow, donor) = span, interfaces
    (m_in, h_in), (m_out, h_out) = ends
    last = first + count - 1
    m, dm, h_up = m_in, 0.0, _limited(h_in, cells, first)
    mismatch, slope = 0.0, 0.0
    flow[0], donor[0] = m, h_up
    for i in range(first, last + 1):
        h, g = cells[ly.ENTHALPY, i], cells[ly.SLOPE_H, i]
        taken = 1.0 - g * (h_up - h)
        capacity = ly.VOLUMES[i] * (cells[ly.SLOPE_P, i] + g)
        value = m * taken - capacity * rate - g * cells[ly.HEAT, i]
        slope = dm * taken - capacity
        if i == last:
            mismatch = value - (1.0 - g * (h_out - h)) * m_out
            break
        if value >= 0.0:
            h_up = _limited(h_receiver_out if i == ly.RECEIVER else h, cells, i + 1)
        else:
            h_up = _limited(cells[ly.ENTHALPY, i + 1], cells, i)
        given = 1.0 - g * (h_up - h)
        m, dm = value / given, slope / given
        flow[i - first + 1], donor[i - first + 1] = m, h_up
    flow[count], donor[count] = m_out, h_out
    return mismatch, slope


@compiled
def _observe(
    y: np.ndarray, high: np.ndarray, low: np.ndarray, cells: np.ndarray, machine: np.ndarray, o: np.ndarray
) -> None:
    """Fill the observed quantities that follow directly from states, cells and compressor."""
    last, end, eva = ly.N_HIGH - 1, ly.N_COND - 1, ly.N_HIGH + ly.N_EVA - 1
    o[ly.O_M], o[ly.O_H_DIS], o[ly.O_POWER] = machine[0], machine[1], machine[2]
    o[ly.O_P_SUC], o[ly.O_P_DIS], o[ly.O_V_SUC] = machine[3], machine[4], machine[5]
    o[ly.O_T_SUC], o[ly.O_H_SUC] = machine[7], cells[ly.ENTHALPY, ly.N_CELLS - 1]
    o[ly.O_H_VALVE], o[ly.O_T_SUB] = cells[ly.ENTHALPY, last], cells[ly.TEMPERATURE, last]
    o[ly.O_H_COND], o[ly.O_T_COND] = cells[ly.ENTHALPY, end], cells[ly.TEMPERATURE, end]
    o[ly.O_V_COND], o[ly.O_V_EVA] = 1.0 / cells[ly.DENSITY, end], 1.0 / cells[ly.DENSITY, eva]
    o[ly.O_H_EVA], o[ly.O_T_EVA] = cells[ly.ENTHALPY, eva], cells[ly.TEMPERATURE, eva]
    o[ly.O_TSAT_HIGH], o[ly.O_TSAT_LOW] = high[T_SAT], low[T_SAT]
    o[ly.O_FAN_W] = 420.0 * max(y[ly.FAN], 0.0) ** 3 + 15.0
    o[ly.O_BLOWER_W] = 260.0 * (max(y[ly.BLOWER], 0.0) / 500.0) ** 3
