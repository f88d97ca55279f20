"""Refrigerant properties as tables made once from CoolProp, and their compiled evaluation.

Each phase region has its own table in u = ln p and the distance from its saturation line, so that phase
boundaries are exact and derivatives are those of the interpolant:

* saturation: cubic splines in u of T, hl, hv, vl, vv, sl, sv and two heat transfer factors;
* vapour: bicubic v, T, s in (u, h - hv); liquid: bicubic v, T in (u, hl - h);
* isentropic compression: bicubic h - hv in (u, s - sv).

Units are SI throughout: Pa, J/kg, K, m3/kg, J/kg/K.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.paths import cache_folder
from surrogate_modeling.refrigerant.compilation import compiled

REFRIGERANTS = ("R134a", "R1234yf")

# Columns of the saturation spline.
TSAT, HL, HV, VL, VV, SL, SV, FACTOR_L, FACTOR_V, N_SAT = range(10)

NODES_U, NODES_VAPOUR, NODES_LIQUID = 90, 72, 48
P_MIN = 0.4e5  # Pa
P_MAX_REDUCED = 0.92  # of the critical pressure; R1234yf flashes fail closer to the critical point
DEPTH_VAPOUR = 230e3  # J/kg above saturated vapour
DEPTH_LIQUID = 150e3  # J/kg below saturated liquid
DEPTH_ENTROPY = 500.0  # J/kg/K above saturated vapour


class Tables(NamedTuple):
    """Property tables of one refrigerant, for the compiled code.

    ``grid`` holds u0, du, and the node distances of the vapour, liquid and entropy axes, then the critical
    pressure. ``sat[i, k]`` are the four coefficients of property k in interval i, constant term first.
    ``vapour[i, j, k]``, ``liquid`` and ``entropy`` hold 16 coefficients per patch, index 4 a + b for
    s^a t^b with s along u and t along the distance, both 0..1 within the patch.
    """

    grid: np.ndarray
    sat: np.ndarray
    vapour: np.ndarray
    liquid: np.ndarray
    entropy: np.ndarray

    @classmethod
    def empty(cls) -> Self:
        """Tables without content, by which code is compiled."""
        return cls(*(np.empty((0,) * dimensions) for dimensions in (1, 3, 4, 4, 4)))


def load_tables(refrigerant: str) -> Tables:
    """Load the tables of a refrigerant from the user's cache, or build them (2-10 s) if missing, damaged or old."""
    if refrigerant not in REFRIGERANTS:
        raise ValueError(f"refrigerant {refrigerant!r} is not known; choose one of {', '.join(REFRIGERANTS)}")
    import importlib.metadata

    version = importlib.metadata.version("CoolProp")
    key = hashlib.sha256(Path(__file__).read_bytes() + version.encode()).hexdigest()[:16]
    path = cache_folder() / f"{refrigerant}-{key}.npz"
    tables = _read_tables(path)
    if tables is None:
        tables = build_tables(refrigerant)
        buffer = io.BytesIO()
        np.savez(buffer, **tables._asdict())
        write_atomic(path, buffer.getvalue())
    return tables


def _read_tables(path: Path) -> Tables | None:
    """Read a table file; None if it is missing or its zip checksums show damage."""
    try:
        with np.load(path) as stored:
            return Tables(*(np.ascontiguousarray(stored[name]) for name in Tables._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def build_tables(refrigerant: str) -> Tables:
    """Evaluate CoolProp's reference equation of state on the nodes and fit the splines."""
    import CoolProp
    from scipy.interpolate import CubicSpline

    fluid: Any = CoolProp.AbstractState("HEOS", refrigerant)
    p_critical = fluid.p_critical()
    u = np.linspace(np.log(P_MIN), np.log(P_MAX_REDUCED * p_critical), NODES_U)
    saturation = np.array([_saturation(fluid, p) for p in np.exp(u)])
    axis_v = np.linspace(0.0, DEPTH_VAPOUR, NODES_VAPOUR)
    axis_l = np.linspace(0.0, DEPTH_LIQUID, NODES_LIQUID)
    axis_s = np.linspace(0.0, DEPTH_ENTROPY, NODES_VAPOUR)
    vapour = np.empty((3, u.size, axis_v.size))
    liquid = np.empty((2, u.size, axis_l.size))
    entropy = np.empty((1, u.size, axis_s.size))
    for i, p in enumerate(np.exp(u)):
        vapour[:, i, :] = _vapour_row(fluid, p, saturation[i], axis_v)
        liquid[:, i, :] = _liquid_row(fluid, p, saturation[i], axis_l)
        entropy[0, i, :] = _entropy_row(fluid, p, saturation[i], axis_s)
    spline = CubicSpline(u, saturation).c  # (power 3..0, interval, property), in u - u_i
    du = u[1] - u[0]
    scale = du ** np.arange(4)
    sat = np.ascontiguousarray(spline[::-1].transpose(1, 2, 0) * scale)
    grid = np.array([u[0], du, axis_v[1], axis_l[1], axis_s[1], p_critical])
    return Tables(grid, sat, _patches(u, axis_v, vapour), _patches(u, axis_l, liquid), _patches(u, axis_s, entropy))


def _saturation(fluid: Any, p: float) -> list[float]:
    import CoolProp

    row = np.empty(N_SAT)
    for quality, (h, v, s, factor) in enumerate(((HL, VL, SL, FACTOR_L), (HV, VV, SV, FACTOR_V))):
        fluid.update(CoolProp.PQ_INPUTS, p, quality)
        row[h], row[v], row[s] = fluid.hmass(), 1.0 / fluid.rhomass(), fluid.smass()
        # Dittus-Boelter, 0.023 Re^0.8 Pr^0.4 k / D, without the mass flux and the diameter.
        row[factor] = 0.023 * fluid.viscosity() ** -0.8 * fluid.Prandtl() ** 0.4 * fluid.conductivity()
    row[TSAT] = fluid.T()
    return row.tolist()


def _vapour_row(fluid: Any, p: float, sat: np.ndarray, axis: np.ndarray) -> np.ndarray:
    import CoolProp

    row = np.empty((3, axis.size))
    row[:, 0] = sat[VV], sat[TSAT], sat[SV]
    fluid.specify_phase(CoolProp.iphase_gas)
    for j in range(1, axis.size):
        fluid.update(CoolProp.HmassP_INPUTS, sat[HV] + axis[j], p)
        row[:, j] = 1.0 / fluid.rhomass(), fluid.T(), fluid.smass()
    fluid.unspecify_phase()
    return row


def _liquid_row(fluid: Any, p: float, sat: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Liquid v and T; below the temperatures of a car, continued with constant cp and dv/dh.

    At low pressure 150 kJ/kg below saturation lies under the melting line, where the equation of state ends.
    The continuation only fills the rectangle: a case that gets there is reported as having left the region.
    """
    import CoolProp

    floor = max(fluid.Tmin() + 2.0, 200.0)
    row = np.empty((2, axis.size))
    row[:, 0] = sat[VL], sat[TSAT]
    fluid.specify_phase(CoolProp.iphase_liquid)
    fluid.update(CoolProp.PT_INPUTS, p, floor)
    h_floor, v_floor, cp = fluid.hmass(), 1.0 / fluid.rhomass(), fluid.cpmass()
    dv_dh = -fluid.first_partial_deriv(CoolProp.iDmass, CoolProp.iHmass, CoolProp.iP) * v_floor**2
    for j in range(1, axis.size):
        h = sat[HL] - axis[j]
        if h < h_floor:
            row[:, j] = v_floor + dv_dh * (h - h_floor), floor + (h - h_floor) / cp
        else:
            fluid.update(CoolProp.HmassP_INPUTS, h, p)
            row[:, j] = 1.0 / fluid.rhomass(), fluid.T()
    fluid.unspecify_phase()
    return row


def _entropy_row(fluid: Any, p: float, sat: np.ndarray, axis: np.ndarray) -> np.ndarray:
    import CoolProp

    row = np.zeros(axis.size)
    fluid.specify_phase(CoolProp.iphase_gas)
    for j in range(1, axis.size):
        fluid.update(CoolProp.PSmass_INPUTS, p, sat[SV] + axis[j])
        row[j] = fluid.hmass() - sat[HV]
    fluid.unspecify_phase()
    return row


def _patches(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of the interpolating bicubic spline, patch by patch.

    A bicubic is fixed by value, first and cross derivatives at its four corners (16 conditions), which the
    spline provides; the Hermite matrix turns them into powers.
    """
    from scipy.interpolate import RectBivariateSpline

    hermite = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [-3, 3, -2, -1], [2, -2, 1, 1]], dtype=float)
    dx, dy = x[1] - x[0], y[1] - y[0]
    out = np.empty((x.size - 1, y.size - 1, len(values), 16))
    for k, table in enumerate(values):
        spline = RectBivariateSpline(x, y, table, kx=3, ky=3, s=0)
        corner = np.empty((x.size - 1, y.size - 1, 4, 4))
        for a in range(2):
            for b in range(2):
                node = spline(x, y, dx=a, dy=b) * dx**a * dy**b
                corner[:, :, 2 * a, 2 * b] = node[:-1, :-1]
                corner[:, :, 2 * a, 2 * b + 1] = node[:-1, 1:]
                corner[:, :, 2 * a + 1, 2 * b] = node[1:, :-1]
                corner[:, :, 2 * a + 1, 2 * b + 1] = node[1:, 1:]
        out[:, :, k, :] = np.einsum("ap,ijpq,bq->ijab", hermite, corner, hermite).reshape(*out.shape[:2], 16)
    return out


@compiled
def locate(grid: np.ndarray, p: float) -> tuple[int, float]:
    """Interval and local coordinate of a pressure on the u axis; outside, the end interval extrapolates."""
    z = (np.log(p) - grid[0]) / grid[1]
    i = min(max(int(z), 0), NODES_U - 2)
    return i, z - i


@compiled
def saturated(sat: np.ndarray, i: int, s: float, k: int) -> float:
    """Saturation property k at a located pressure."""
    c = sat[i, k]
    return c[0] + s * (c[1] + s * (c[2] + s * c[3]))


@compiled
def saturated_slope(sat: np.ndarray, i: int, s: float, k: int, du: float) -> float:
    """Derivative of a saturation property with respect to u = ln p."""
    c = sat[i, k]
    return (c[1] + s * (2.0 * c[2] + 3.0 * s * c[3])) / du


@compiled
def patch_value(c: np.ndarray, s: float, t: float) -> float:
    """Bicubic value in a patch."""
    a0 = c[0] + t * (c[1] + t * (c[2] + t * c[3]))
    a1 = c[4] + t * (c[5] + t * (c[6] + t * c[7]))
    a2 = c[8] + t * (c[9] + t * (c[10] + t * c[11]))
    a3 = c[12] + t * (c[13] + t * (c[14] + t * c[15]))
    return a0 + s * (a1 + s * (a2 + s * a3))


@compiled
def patch_gradient(c: np.ndarray, s: float, t: float) -> tuple[float, float, float]:
    """Bicubic value and its derivatives along s and t."""
    a0 = c[0] + t * (c[1] + t * (c[2] + t * c[3]))
    a1 = c[4] + t * (c[5] + t * (c[6] + t * c[7]))
    a2 = c[8] + t * (c[9] + t * (c[10] + t * c[11]))
    a3 = c[12] + t * (c[13] + t * (c[14] + t * c[15]))
    b0 = c[1] + t * (2.0 * c[2] + 3.0 * t * c[3])
    b1 = c[5] + t * (2.0 * c[6] + 3.0 * t * c[7])
    b2 = c[9] + t * (2.0 * c[10] + 3.0 * t * c[11])
    b3 = c[13] + t * (2.0 * c[14] + 3.0 * t * c[15])
    value = a0 + s * (a1 + s * (a2 + s * a3))
    along_s = a1 + s * (2.0 * a2 + 3.0 * s * a3)
    along_t = b0 + s * (b1 + s * (b2 + s * b3))
    return value, along_s, along_t


@compiled
def gas_state(tables: Tables, p: float, h: float) -> tuple[float, float, float]:
    """v [m3/kg], T [K], s [J/kg/K] of vapour, or of wet vapour below saturation."""
    i, s = locate(tables.grid, p)
    hv = saturated(tables.sat, i, s, HV)
    if h >= hv:
        z = (h - hv) / tables.grid[2]
        j = min(int(z), NODES_VAPOUR - 2)
        c = tables.vapour[i, j]
        t = z - j
        return patch_value(c[0], s, t), patch_value(c[1], s, t), patch_value(c[2], s, t)
    hl = saturated(tables.sat, i, s, HL)
    x = (h - hl) / (hv - hl)
    vl, sl = saturated(tables.sat, i, s, VL), saturated(tables.sat, i, s, SL)
    v = vl + x * (saturated(tables.sat, i, s, VV) - vl)
    return v, saturated(tables.sat, i, s, TSAT), sl + x * (saturated(tables.sat, i, s, SV) - sl)


@compiled
def isentropic_enthalpy(tables: Tables, p: float, entropy: float) -> float:
    """Enthalpy at a pressure on an isentrope; wet states lie on h = hl + T (s - sl)."""
    i, s = locate(tables.grid, p)
    sv = saturated(tables.sat, i, s, SV)
    if entropy >= sv:
        z = (entropy - sv) / tables.grid[4]
        j = min(int(z), NODES_VAPOUR - 2)
        return saturated(tables.sat, i, s, HV) + patch_value(tables.entropy[i, j, 0], s, z - j)
    sl = saturated(tables.sat, i, s, SL)
    return saturated(tables.sat, i, s, HL) + saturated(tables.sat, i, s, TSAT) * (entropy - sl)
