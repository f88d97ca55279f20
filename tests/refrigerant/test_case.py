"""A case's table: columns that mean what their names say, and the retry with a smaller step."""

import subprocess
import sys

import CoolProp
import numpy as np
import pytest
from omegaconf import OmegaConf

from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.refrigerant import case as case_module
from surrogate_modeling.refrigerant.case import LeftRegion, case_table, names_and_units, run_case
from surrogate_modeling.refrigerant.columns import CONTROLS, MODEL_VERSION, PREDICTED
from surrogate_modeling.refrigerant.schedules import make_schedule


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    names, _ = names_and_units()
    return dict(zip(names, case_table(3, 60.0, 0.1, "R134a", "random_steps", 0).T, strict=True))


def test_columns_are_the_specified_ones() -> None:
    names, units = names_and_units()
    assert len(names) == len(units) == len(set(names)) == 1 + len(CONTROLS) + len(PREDICTED) == 53
    shipped = OmegaConf.load(CONFIG_DIR / "dataset" / "refrigerant.yaml")
    assert set(shipped.targets) < set(names)
    assert {c.name: c.unit for c in PREDICTED}["Comp_Out_Jkg"] == "J/kg"


def test_importing_columns_or_generation_is_light() -> None:
    code = (
        "import sys, surrogate_modeling.refrigerant.columns, surrogate_modeling.generation.dataset;"
        "print([m for m in ('numba', 'CoolProp', 'scipy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_time_starts_at_zero_on_the_exact_grid(table: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(table["time"], np.arange(601) * 0.1, rtol=0, atol=1e-12)


def test_no_column_repeats_another(table: dict[str, np.ndarray]) -> None:
    names = list(table)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert not np.allclose(table[a], table[b], rtol=1e-9, atol=1e-9), (a, b)


def test_points_of_the_circuit_are_coolprops_states(table: dict[str, np.ndarray]) -> None:
    fluid = CoolProp.AbstractState("HEOS", "R134a")
    for point in ("CompIn", "Comp_Out", "EvaEVIn", "EvaOut"):
        for row in (0, 300, 600):
            p, h = table[f"{point}P"][row] * 1e5, table[f"{point}_Jkg"][row]
            fluid.update(CoolProp.HmassP_INPUTS, h, p)
            assert table[f"{point}T"][row] == pytest.approx(fluid.T() - 273.15, abs=0.02)
            # The rounded kink may enclose a barely subcooled evaporator, not these points.
            assert table[f"{point}_ro"][row] == pytest.approx(fluid.rhomass(), rel=2e-4)


def test_derived_columns_follow_from_others(table: dict[str, np.ndarray]) -> None:
    fluid = CoolProp.AbstractState("HEOS", "R134a")
    for row in (0, 250, 600):
        fluid.update(CoolProp.PQ_INPUTS, table["EvaOutP"][row] * 1e5, 1.0)
        assert table["EvaSH"][row] == pytest.approx(table["EvaOutT"][row] - (fluid.T() - 273.15), abs=0.01)
        fluid.update(CoolProp.PQ_INPUTS, table["CompInP"][row] * 1e5, 1.0)
        assert table["CompInTst"][row] == pytest.approx(fluid.T() - 273.15, abs=0.01)
    total = table["Comp_kW"] + table["CondFan_kW"] + table["Blower_kW"] + 0.06
    np.testing.assert_allclose(table["ACDS_kW"], total, atol=1e-12)
    for higher, lower in (("Comp_OutP", "CondOutP"), ("CondOutP", "EvaEVInP"), ("EvaEVOutP", "EvaOutP")):
        assert (table[higher] >= table[lower]).all()
    assert (table["EvaLat_kW"] <= table["Eva_kW"] + 1.0).all()


def test_a_coarser_output_step_samples_the_same_run() -> None:
    fine = case_table(2, 5.0, 0.1, "R134a", "engine", 0)
    coarse = case_table(2, 5.0, 0.5, "R134a", "engine", 0)
    np.testing.assert_array_equal(fine[::5, 1:], coarse[:, 1:])


def test_a_known_case_has_not_moved() -> None:
    """Numbers of model version 1. A change here changes every case: raise MODEL_VERSION with it."""
    assert MODEL_VERSION == 1
    names, _ = names_and_units()
    last = dict(zip(names, case_table(1, 10.0, 0.1, "R134a", "random_steps", 0)[-1], strict=True))
    assert {name: last[name] for name in KNOWN} == pytest.approx(KNOWN, rel=1e-4)


KNOWN = {
    "CompN": 4603.058,
    "Comp_OutP": 16.02133,
    "CompInP": 2.571598,
    "Eva_kW": 3.781125,
    "Comp_OutT": 77.89921,
    "RecLevel": 62.73161,
}


def test_a_failing_case_is_retried_with_a_quarter_step(monkeypatch) -> None:
    schedule = make_schedule(1, 1.0, "random_steps", 0)
    tried, real = [], case_module.run_schedule

    def fails_first(*args, substeps: int, **kwargs):
        tried.append(substeps)
        run = real(*args, substeps=substeps, **kwargs)
        run.failed_at = 12.0 if substeps == 2 else None
        return run

    monkeypatch.setattr(case_module, "run_schedule", fails_first)
    assert run_case("R134a", schedule, 1).substeps == 8
    assert tried == [2, 8]


def test_a_case_that_leaves_the_region_says_where_and_in_what_state(monkeypatch) -> None:
    schedule = make_schedule(1, 20.0, "random_steps", 0)
    # 150 degC of outside air cannot be condensed against.
    schedule.plan[300:, 3] = 150.0
    monkeypatch.setattr(case_module, "FAMILIES", {"random_steps": -1})
    with pytest.raises(LeftRegion) as failed:
        run_case("R134a", schedule, 1)
    assert "left the property region" in failed.value.reason
    assert failed.value.state["high_side_bar"] > 30.0
