"""Layout of the circuit: indices of states, controls, observations and cell quantities, and the sizes.

Shapes: 18 refrigerant cells, of which 0..7 condenser, 8 receiver, 9..10 subcooler (high side), 11..16
evaporator, 17 suction line (low side); 16 walls: 0..7 condenser, 8..9 subcooler, 10..15 evaporator.
"""

from __future__ import annotations

import numpy as np

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
    O_H_SUC,
    O_M_VALVE,
    O_H_VALVE,
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
    O_OPENING,
    O_Q_COND,
    O_Q_EVA,
    O_LATENT,
    O_Q_REF_COND,
    O_Q_REF_EVA,
    O_Q_OTHER,
    O_T_COND_AIR,
    O_T_EVA_AIR,
    O_AIR_SPEED,
    O_FAN_W,
    O_BLOWER_W,
    O_MASS_HIGH,
    O_MASS_LOW,
    O_MASS,
    O_ENERGY,
    O_OUTSIDE,
    O_UNSOLVED,
) = range(42)
N_OBSERVED = 42

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
MASS_CORRECTION = 1.0  # 1/s
OTHER_POWER = 60.0  # W, electronics and pump
TAU_SPEED, TAU_FAN, TAU_BLOWER, TAU_BULB = 0.6, 1.5, 1.0, 4.0  # s
ZERO_CELSIUS = 273.15

# Rows of the work array of cells: enthalpy, density, g = (drho/dh)_p / rho, (drho/dp)_h, temperature,
# quality, heat received from the wall.
ENTHALPY, DENSITY, SLOPE_H, SLOPE_P, TEMPERATURE, QUALITY, HEAT = range(7)
N_CELL_ROWS = 7
