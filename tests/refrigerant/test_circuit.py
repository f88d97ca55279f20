"""Conservation by the right-hand side itself, for ordinary and for perverse states."""

import numpy as np
import pytest

from surrogate_modeling.refrigerant import circuit as ci
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.case import CHARGE, start_state
from surrogate_modeling.refrigerant.properties import Tables, load_tables
from surrogate_modeling.refrigerant.reference import OPERATING_POINT, settled_state

TABLES = load_tables("R134a")


def evaluate(y: np.ndarray, c: np.ndarray, tables: Tables = TABLES) -> tuple[np.ndarray, np.ndarray]:
    dy, o = np.empty(ly.N_STATES), np.empty(ly.N_OBSERVED)
    ci.evaluate(y, c, tables, dy, o)
    return dy, o


def consistent(y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The same state with tracked masses equal to the cells' contents, so that no correction acts."""
    y = y.copy()
    rho = np.array([contents(y, c, i) for i in range(2)])
    y[ly.M_HIGH], y[ly.M_LOW] = rho
    return y


def contents(y: np.ndarray, c: np.ndarray, side: int) -> float:
    from surrogate_modeling.refrigerant.components import N_SIDE, cell_state, side_state

    state, mass = np.empty(N_SIDE), 0.0
    side_state(TABLES, y[side], state)
    for i in range(ly.N_HIGH) if side == 0 else range(ly.N_HIGH, ly.N_CELLS):
        mass += ly.VOLUMES[i] / cell_state(TABLES, state, y[ly.H0 + i], i != ly.RECEIVER)[0]
    return mass


@pytest.fixture(scope="module")
def running() -> np.ndarray:
    return settled_state("R134a", OPERATING_POINT, 120.0)


def states(running: np.ndarray) -> list[np.ndarray]:
    """Running; standing with hot walls; liquid before vapour, so that flows reverse."""
    standing = running.copy()
    standing[ly.SPEED] = 0.0
    standing[ly.W0 : ly.W0 + 16] += np.linspace(-15.0, 15.0, 16)
    mixed = running.copy()
    mixed[ly.H0 : ly.H0 + 18] += np.tile([20e3, -20e3], 9)
    return [running, standing, mixed]


@pytest.mark.parametrize("which", range(3))
def test_cells_change_their_mass_by_what_flows_in_and_out(which: int, running: np.ndarray) -> None:
    y = consistent(states(running)[which], OPERATING_POINT)
    dy, o = evaluate(y, OPERATING_POINT)
    assert o[ly.O_UNSOLVED] == 0.0
    eps = 1e-5
    for side, net in ((0, o[ly.O_M] - o[ly.O_M_VALVE]), (1, o[ly.O_M_VALVE] - o[ly.O_M])):
        change = (contents(y + eps * dy, OPERATING_POINT, side) - contents(y - eps * dy, OPERATING_POINT, side)) / (
            2 * eps
        )
        assert change == pytest.approx(net, abs=2e-7 + 1e-5 * abs(net))


@pytest.mark.parametrize("which", range(3))
def test_stored_energy_changes_by_what_is_supplied(which: int, running: np.ndarray) -> None:
    y = consistent(states(running)[which], OPERATING_POINT)
    dy, _ = evaluate(y, OPERATING_POINT)
    eps = 1e-5
    change = (
        evaluate(y + eps * dy, OPERATING_POINT)[1][ly.O_ENERGY]
        - evaluate(y - eps * dy, OPERATING_POINT)[1][ly.O_ENERGY]
    ) / (2 * eps)
    assert change == pytest.approx(dy[ly.E_IN], abs=2.0)


def test_a_soaked_circuit_holds_its_charge_and_rests() -> None:
    controls = OPERATING_POINT.copy()
    controls[[ly.COMP_N, ly.AMB_T, ly.EVA_T, ly.BAY_T, ly.EVA_RH]] = 0.0, 30.0, 30.0, 30.0, 20.0
    y = start_state(TABLES, "R134a", controls)
    dy, o = evaluate(y, controls)
    assert o[ly.O_MASS] == pytest.approx(CHARGE["R134a"], rel=1e-9)
    assert o[ly.O_M] == 0.0
    assert o[ly.O_M_VALVE] == 0.0
    # Saturated at one temperature everywhere; only the dry suction line, 1 K warmer, is not at rest.
    assert abs(dy[ly.W0 : ly.W0 + 16]).max() < 1e-3
    assert abs(dy[ly.P_HIGH]) < 1.0


def test_air_side_by_hand(running: np.ndarray) -> None:
    _, o = evaluate(running, OPERATING_POINT)
    # Face speed at 40 km/h and half fan duty: (0.16 * 11.11)^2 + 2.1^2 + 0.15^2 under the root.
    assert o[ly.O_AIR_SPEED] == pytest.approx(2.755, abs=2e-3)
    assert o[ly.O_FAN_W] == pytest.approx(420 * 0.125 + 15.0)
    assert o[ly.O_BLOWER_W] == pytest.approx(260 * 0.8**3)
    # Dew point of 27 degC at 50 % is about 15.7 degC, above the walls: water condenses.
    assert o[ly.O_LATENT] > 300.0


def test_outside_the_region_is_noticed(running: np.ndarray) -> None:
    assert evaluate(running, OPERATING_POINT)[1][ly.O_OUTSIDE] == 0.0
    for index, value in ((ly.P_HIGH, 39e5), (ly.P_LOW, 0.3e5), (ly.H0 + 16, 700e3), (ly.H0 + 3, np.nan)):
        y = running.copy()
        y[index] = value
        assert evaluate(y, OPERATING_POINT)[1][ly.O_OUTSIDE] > 0.0
