"""Components against values worked out by hand or from CoolProp's transport properties."""

import CoolProp
import numpy as np
import pytest

from surrogate_modeling.refrigerant import air
from surrogate_modeling.refrigerant import components as co
from surrogate_modeling.refrigerant.properties import gas_state, load_tables

TABLES = load_tables("R134a")


@pytest.fixture
def side() -> np.ndarray:
    """Saturation state at 15 bar."""
    out = np.empty(co.N_SIDE)
    co.side_state(TABLES, 15e5, out)
    return out


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("quality", [-0.2, -0.02, 0.01, 0.03, 0.3, 0.97, 1.1])
def test_cell_derivatives_agree_with_differences(quality: float, rounded: bool, side: np.ndarray) -> None:
    h = side[co.H_L] + quality * (side[co.H_V] - side[co.H_L])
    _, v_h, v_p, _, x = co.cell_state(TABLES, side, h, rounded)
    assert x == pytest.approx(quality)
    dh, dp = 1.0, 20.0
    up, down = (co.cell_state(TABLES, side, h + s * dh, rounded)[0] for s in (1, -1))
    assert v_h == pytest.approx((up - down) / (2 * dh), rel=1e-4)
    shifted = np.empty(co.N_SIDE)
    volumes = []
    for sign in (1, -1):
        co.side_state(TABLES, 15e5 + sign * dp, shifted)
        volumes.append(co.cell_state(TABLES, shifted, h, rounded)[0])
    assert v_p == pytest.approx((volumes[0] - volumes[1]) / (2 * dp), rel=1e-4)


def test_rounding_leaves_states_off_the_kink_alone(side: np.ndarray) -> None:
    for quality in (-0.05, 0.05, 0.5):
        h = side[co.H_L] + quality * (side[co.H_V] - side[co.H_L])
        assert co.cell_state(TABLES, side, h, True)[0] == co.cell_state(TABLES, side, h, False)[0]


def test_liquid_coefficient_is_dittus_boelter(side: np.ndarray) -> None:
    fluid = CoolProp.AbstractState("HEOS", "R134a")
    fluid.update(CoolProp.PQ_INPUTS, 15e5, 0.0)
    flux, diameter = 400.0, 1e-3
    reynolds = flux * diameter / fluid.viscosity()
    expected = 0.023 * reynolds**0.8 * fluid.Prandtl() ** 0.4 * fluid.conductivity() / diameter
    assert co.refrigerant_side(side, flux, diameter, -0.3, False) == pytest.approx(expected, rel=1e-4)


def test_condensation_is_shah_and_boiling_gungor_winterton(side: np.ndarray) -> None:
    flux, diameter, x = 400.0, 1e-3, 0.5
    liquid = co.refrigerant_side(side, flux, diameter, -0.3, False)
    reduced = 15e5 / 4059280.0  # critical pressure of R134a, 4.05928 MPa
    shah = liquid * (0.5**0.8 + 3.8 * 0.5**0.76 * 0.5**0.04 / reduced**0.38)
    assert co.refrigerant_side(side, flux, diameter, x, False) == pytest.approx(shah, rel=1e-4)
    boiling_number = 5000.0 / (401.0 * (side[co.H_V] - side[co.H_L]))
    enhancement = 1.0 + 3000.0 * boiling_number**0.86 + 1.12 * (side[co.V_V] / side[co.V_L]) ** 0.41
    expected = liquid * 0.5**0.8 * enhancement  # x / (1 - x) is one
    assert co.refrigerant_side(side, flux, diameter, x, True) == pytest.approx(expected, rel=1e-4)


def test_coefficients_have_their_floors(side: np.ndarray) -> None:
    for quality, floor in ((-0.3, 150.0), (0.5, 400.0), (1.3, 30.0)):
        assert co.refrigerant_side(side, 0.0, 1e-3, quality, False) == pytest.approx(floor)


def test_valve_flow_by_hand() -> None:
    assert co.valve_opening(280.0, 270.0, 5.0) == pytest.approx(0.51)
    # 1/(2 rho CdA^2) = 1.9324e8, K_l/rho = 1.0435e7, K_e/rho_e = 2.1e7; sqrt(12e5 / 2.2467e8) = 0.07308 kg/s.
    assert co.valve_flow(1.0, 15e5, 3e5, 1 / 1150.0, 0.03) == pytest.approx(0.07308, rel=2e-4)
    assert co.valve_flow(1.0, 3e5, 3e5, 1 / 1150.0, 0.03) == 0.0
    assert co.valve_flow(1.0, 3e5, 4e5, 1 / 1150.0, 0.03) == 0.0
    # Linear below 0.2 bar: half the difference, half the flow.
    full, half = (co.valve_flow(0.5, 3e5 + dp, 3e5, 1 / 1150.0, 0.03) for dp in (0.2e5 - 1e-6, 0.1e5))
    assert half == pytest.approx(full / 2.0)


@pytest.mark.parametrize("speed", [17.0, 50.0, 117.0])
def test_compressor_keeps_its_own_energy_balance(speed: float) -> None:
    out = np.empty(9)
    co.compressor(TABLES, speed, (3e5, 15e5), 405e3, 350.0, out)
    m, h_out, power, p_suction, p_discharge, v_in, heat = out[:7]
    assert m * (h_out - 405e3) == pytest.approx(0.90 * power + heat, rel=1e-9)
    ratio = p_discharge / p_suction
    assert m == pytest.approx((1 - 0.0202 * (ratio - 1.3)) * 33e-6 * speed / v_in, rel=1e-4)
    # Lines: the losses belong to the flow that was found.
    assert 3e5 - p_suction == pytest.approx(1.6e8 * m**2 * v_in, rel=1e-2)


def test_isentropic_efficiency_at_its_best_point() -> None:
    # r = 2.6 at 4500 rpm gives 0.72 by definition; work per kg is the ideal work over it.
    out = np.empty(9)
    co.compressor(TABLES, 75.0, (4e5, 10e5), 410e3, 320.0, out)
    m, power, p_suction, p_discharge = out[0], out[2], out[3], out[4]
    fluid = CoolProp.AbstractState("HEOS", "R134a")
    fluid.update(CoolProp.HmassP_INPUTS, 410e3, p_suction)
    fluid.update(CoolProp.PSmass_INPUTS, p_discharge, fluid.smass())
    efficiency = m * (fluid.hmass() - 410e3) / (0.90 * power)
    d = p_discharge / p_suction - 2.6
    assert efficiency == pytest.approx(0.72 * (1 - 0.036 * d * d / (1 + 0.35 * abs(d))), rel=1e-3)


def test_a_standing_compressor_has_no_flow_and_its_shells_temperature() -> None:
    out = np.empty(9)
    co.compressor(TABLES, 0.0, (8e5, 8e5), 430e3, 340.0, out)
    assert out[0] == 0.0
    assert out[2] == 0.0
    assert out[6] == 0.0
    assert gas_state(TABLES, 8e5, out[1])[1] == pytest.approx(340.0, abs=6.0)


def test_humidity_matches_psychrometric_tables() -> None:
    # Saturated air at 20 degC and 1 atm holds 14.7 g/kg; at 25 degC and 50 % 9.9 g/kg.
    assert air.humidity_ratio(20.0, 1.0) == pytest.approx(0.0147, rel=5e-3)
    assert air.humidity_ratio(25.0, 0.5) == pytest.approx(0.0099, rel=1e-2)
