"""Condenser with subcooler, and evaporator: from the air through the walls to the refrigerant.

Each takes the mass flows into and out of its side, and fills the heat that its cells receive and ``out``: the
derivatives of its walls, and the observed quantities.
"""

from __future__ import annotations

import numpy as np

from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.air import P_AIR, humidity_ratio
from surrogate_modeling.refrigerant.compilation import compiled
from surrogate_modeling.refrigerant.components import (
    CP_AIR,
    LATENT_HEAT,
    R_AIR,
    refrigerant_side,
)


@compiled
def condenser(
    y: np.ndarray,
    c: np.ndarray,
    side: np.ndarray,
    cells: np.ndarray,
    flows: tuple[float, float],
    out: tuple[np.ndarray, np.ndarray],
) -> None:
    """Ten cells side by side in one air stream; the last two are the subcooler."""
    (m_in, m_out), (dy, o) = flows, out
    t_amb = c[ly.AMB_T] + ly.ZERO_CELSIUS
    speed = np.sqrt((0.16 * c[ly.VEH_V] / 3.6) ** 2 + (4.2 * y[ly.FAN]) ** 2 + 0.15**2)
    air = speed * ly.FACE_COND * P_AIR / (R_AIR * t_amb) * CP_AIR / 10.0
    effect = 1.0 - np.exp(-95.0 * (speed / 3.0) ** 0.55 * ly.AIR_COND * 0.88 / air)
    to_air, from_refrigerant = 0.0, 0.0
    for k in range(10):
        i = k if k < ly.N_COND else k + 1
        m_local = abs(m_in + (m_out - m_in) * (i + 0.5) / ly.N_HIGH)
        x = cells[ly.QUALITY, i]
        if k < ly.N_COND:
            alpha = refrigerant_side(side, m_local / ly.FLOW_COND, ly.DH_COND, x, False) * ly.AREA_COND
        else:
            alpha = refrigerant_side(side, m_local / ly.FLOW_SUB, ly.DH_COND, x, False) * ly.AREA_SUB
        wall = y[ly.W0 + k]
        heat = alpha * (wall - cells[ly.TEMPERATURE, i])
        cells[ly.HEAT, i] = heat
        from_refrigerant -= heat
        from_air = effect * air * (t_amb - wall)
        to_air -= from_air
        dy[ly.W0 + k] = (from_air - heat) / ly.WALL_COND
    o[ly.O_Q_COND], o[ly.O_Q_REF_COND], o[ly.O_AIR_SPEED] = to_air, from_refrigerant, speed
    o[ly.O_T_COND_AIR] = t_amb + to_air / (10.0 * air)


@compiled
def evaporator(
    y: np.ndarray,
    c: np.ndarray,
    side: np.ndarray,
    cells: np.ndarray,
    flows: tuple[float, float],
    out: tuple[np.ndarray, np.ndarray],
) -> None:
    """Six cells side by side in one air stream; walls below the dew point also collect water."""
    (m_in, m_out), (dy, o) = flows, out
    t_air = c[ly.EVA_T]
    flow = max(y[ly.BLOWER], 0.0) / 3600.0
    m_air = flow * P_AIR / (R_AIR * (t_air + ly.ZERO_CELSIUS))
    air = m_air / ly.N_EVA + 1e-9
    conductance = 72.0 * np.sqrt(flow / ly.FACE_EVA / 2.0) * ly.AIR_EVA * 0.86
    effect = 1.0 - np.exp(-conductance / (air * CP_AIR))
    humidity = humidity_ratio(t_air, 0.01 * c[ly.EVA_RH])
    sensible, latent, to_refrigerant = 0.0, 0.0, 0.0
    for k in range(ly.N_EVA):
        i = ly.N_HIGH + k
        m_local = abs(m_in + (m_out - m_in) * (k + 0.5) / ly.N_LOW)
        flux = m_local / ly.FLOW_EVA
        alpha = refrigerant_side(side, flux, ly.DH_EVA, cells[ly.QUALITY, i], True) * ly.AREA_EVA
        wall = y[ly.W0 + 10 + k]
        heat = alpha * (wall - cells[ly.TEMPERATURE, i])
        cells[ly.HEAT, i] = heat
        to_refrigerant += heat
        dry = effect * air * CP_AIR * (t_air + ly.ZERO_CELSIUS - wall)
        excess = humidity - humidity_ratio(wall - ly.ZERO_CELSIUS, 1.0)
        wet = effect * air * max(excess, 0.0) * LATENT_HEAT
        sensible += dry
        latent += wet
        dy[ly.W0 + 10 + k] = (dry + wet - heat) / ly.WALL_EVA
    o[ly.O_Q_EVA], o[ly.O_LATENT], o[ly.O_Q_REF_EVA] = sensible + latent, latent, to_refrigerant
    o[ly.O_T_EVA_AIR] = t_air + ly.ZERO_CELSIUS - sensible / (air * ly.N_EVA * CP_AIR)
