"""Tables against published values, against CoolProp, and their behaviour on disk."""

import CoolProp
import numpy as np
import pytest

from surrogate_modeling.refrigerant import properties as pr
from surrogate_modeling.refrigerant.components import H_L, H_V, N_SIDE, T_SAT, V_L, V_V, cell_state, side_state


def test_saturation_matches_the_published_table_at_0_degc() -> None:
    # ASHRAE Handbook Fundamentals, R134a at 0 degC: 0.29280 MPa, 1294.8 kg/m3, 0.06931 m3/kg, 398.60 kJ/kg.
    side = np.empty(N_SIDE)
    side_state(pr.load_tables("R134a"), 292.80e3, side)
    assert side[T_SAT] == pytest.approx(273.15, abs=0.01)
    assert 1.0 / side[V_L] == pytest.approx(1294.8, rel=2e-4)
    assert side[V_V] == pytest.approx(0.06931, rel=3e-4)
    assert side[H_L] == pytest.approx(200.00e3, abs=20.0)
    assert side[H_V] == pytest.approx(398.60e3, abs=20.0)


@pytest.mark.parametrize("refrigerant", pr.REFRIGERANTS)
def test_single_phase_states_match_coolprop(refrigerant: str) -> None:
    tables = pr.load_tables(refrigerant)
    fluid = CoolProp.AbstractState("HEOS", refrigerant)
    side, rng = np.empty(N_SIDE), np.random.default_rng(1)
    worst_v, worst_t = 0.0, 0.0
    for _ in range(400):
        p = np.exp(rng.uniform(np.log(1e5), np.log(27e5)))
        side_state(tables, p, side)
        liquid = rng.random() < 0.5
        h = side[H_L] - rng.uniform(8e3, 80e3) if liquid else side[H_V] + rng.uniform(0.0, 150e3)
        if liquid and h < 190e3:
            continue
        v, _, _, t, _ = cell_state(tables, side, h, False)
        fluid.update(CoolProp.HmassP_INPUTS, h, p)
        worst_v = max(worst_v, abs(v * fluid.rhomass() - 1.0))
        worst_t = max(worst_t, abs(t - fluid.T()))
    assert worst_v < 1e-5
    assert worst_t < 2e-3


def test_isentropic_enthalpy_keeps_the_entropy() -> None:
    tables = pr.load_tables("R134a")
    fluid = CoolProp.AbstractState("HEOS", "R134a")
    for h in (400e3, 415e3, 430e3):
        _, _, entropy = pr.gas_state(tables, 3e5, h)
        fluid.update(CoolProp.PSmass_INPUTS, 15e5, entropy)
        assert pr.isentropic_enthalpy(tables, 15e5, entropy) == pytest.approx(fluid.hmass(), abs=2.0)
    # A wet isentrope ends on h = hl + T (s - sl).
    fluid.update(CoolProp.PQ_INPUTS, 15e5, 0.8)
    assert pr.isentropic_enthalpy(tables, 15e5, fluid.smass()) == pytest.approx(fluid.hmass(), abs=5.0)


def test_a_damaged_table_is_rebuilt(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pr, "cache_folder", lambda: tmp_path)
    good = pr.load_tables("R134a")
    (path,) = tmp_path.glob("R134a-*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    again = pr.load_tables("R134a")
    for a, b in zip(good, again, strict=True):
        np.testing.assert_array_equal(a, b)
    path.write_bytes(b"")
    assert pr.load_tables("R134a").grid[5] == good.grid[5]


def test_an_unknown_refrigerant_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="R134a, R1234yf"):
        pr.load_tables("R12")
