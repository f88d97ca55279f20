"""Plans of cases: what is refused, and how parameters are drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.generation.cases_plan import CasesPlan, parse_inputs, parse_ranges
from surrogate_modeling.generation.simulator import PlanError

INPUTS = parse_inputs({"u": [0, 2]}, 50.0)
PLAN = CasesPlan(8, 50.0, 0.5, 3, INPUTS, {"mass": (1.0, 2.0), "gain": (-4.0, 4.0)})


def test_a_range_alone_is_a_plan_and_defaults_are_shares_of_the_duration() -> None:
    (item,) = INPUTS
    assert (item.range, item.family, item.times, item.rate) == ((0.0, 2.0), ("steps",), (1.0, 10.0), None)
    (full,) = parse_inputs({"v": {"range": [1, 2], "family": ["ramps", "prbs"], "times": [1, 3], "rate": 0.1}}, 50.0)
    assert (full.family, full.times, full.rate) == (("ramps", "prbs"), (1.0, 3.0), 0.1)
    assert len(PLAN.time) == 101
    assert PLAN.time[-1] == 50.0


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (["u"], r"inputs = \['u'\]: give a mapping"),
        ({True: [0, 1]}, "inputs: True: put this name in quotes"),
        ({"u": [1, 0]}, r"inputs.u.range = \[1, 0\]: give two numbers, the lower first"),
        ({"u": [0, float("nan")]}, "inputs.u.range"),
        ({"u": [True, 2]}, "inputs.u.range"),
        ({"u": None}, "inputs.u.range: no value given"),
        ({"u": {"range": [0, 1], "famly": "steps"}}, "inputs.u: famly unknown; known: range, family"),
        ({"u": {"range": [0, 1], "family": "sinus"}}, "inputs.u.family: sinus unknown; choose from constant, steps"),
        ({"u": {"range": [0, 1], "family": "recorded"}}, "inputs.u: family recorded and a file go together"),
        ({"u": {"range": [0, 1], "family": "steps", "file": "a.csv"}}, "inputs.u: family recorded and a file"),
        ({"u": {"range": [0, 1], "times": [0, 2]}}, "inputs.u.times = .* above 0"),
        ({"u": {"range": [0, 1], "rate": 0}}, "inputs.u.rate = 0: give a change per second above 0"),
    ],
)
def test_inputs_that_are_refused(raw: object, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        parse_inputs(raw, 50.0)


def test_ranges_and_plans_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"parameter_ranges.mass = 3: give two numbers"):
        parse_ranges({"mass": 3})
    with pytest.raises(PlanError, match="give a mapping of names"):
        parse_ranges([1, 2])
    with pytest.raises(PlanError, match="every case would be the same"):
        replace(PLAN, inputs=(), parameters={})
    with pytest.raises(PlanError, match="u: in inputs and in parameter_ranges"):
        replace(PLAN, parameters={"u": (0.0, 1.0)})
    with pytest.raises(PlanError, match="positive multiple of the step"):
        replace(PLAN, duration=50.2)
    recorded = parse_inputs({"u": {"file": str(tmp_path)}}, 50.0)
    with pytest.raises(PlanError, match="no file"):
        replace(PLAN, inputs=recorded).content()


def test_sobol_points_fill_the_ranges_and_the_set_can_grow() -> None:
    values = np.array([list(PLAN.parameter_values(n).values()) for n in range(1, 9)])
    # Balanced: each eighth of each range holds one of eight points.
    eighths = np.floor((values - [1.0, -4.0]) / [1.0, 8.0] * 8).astype(int)
    assert [sorted(column) for column in eighths.T] == [list(range(8))] * 2
    grown = replace(PLAN, cases=100)
    assert grown.parameter_values(5) == PLAN.parameter_values(5)
    assert grown.content() == PLAN.content()
    assert replace(PLAN, seed=4).parameter_values(5) != PLAN.parameter_values(5)


def test_a_latin_hypercube_is_of_one_number_of_cases() -> None:
    plan = replace(PLAN, sampling="latin_hypercube", cases=7)
    values = np.array([plan.parameter_values(n)["mass"] for n in range(1, 8)])
    assert sorted(np.floor((values - 1.0) * 7).astype(int)) == list(range(7))
    assert plan.content()["cases"] == 7
    assert "cases" not in PLAN.content()
