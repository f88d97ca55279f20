"""Candidates: where their controls come from, and the rules that they keep."""

from dataclasses import replace

import numpy as np
import pytest
from builders import plain_case, plain_channels

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.generation.cases_plan import CasesPlan, parse_inputs
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.simulator import CaseTable, PlanError
from surrogate_modeling.planning.candidates import (
    Recipe,
    Recombined,
    Rules,
    SimulatorCases,
    gather,
    groups_of,
)
from surrogate_modeling.planning.expressions import Constraint
from surrogate_modeling.refrigerant.columns import CONTROLS
from surrogate_modeling.surrogate.description import Description

CHANNELS = plain_channels(3, 1)
DESCRIPTION = Description(DonConfig("don"), CHANNELS, 2, 1, 1.0)
# Case i holds 100 i + row in its first control, and 1000 times as much in the second.
CASES = [
    plain_case(f"c{i}", np.arange(9.0), np.outer(100 * i + np.arange(9), [1, 1000, 0, 0]).astype(np.float32), 3)
    for i in range(4)
]


def recombined(duration: float = 5.0, **changes: object) -> Recombined:
    groups = groups_of(CHANNELS.controls, [["u0", "u1"]], [])
    recipe = Recipe(None, groups, duration, {}, 1)
    return Recombined(replace(recipe, **changes), CASES, DESCRIPTION)  # type: ignore[arg-type]


def test_controls_of_a_group_are_a_stretch_of_one_case() -> None:
    source = recombined()
    firsts = set()
    for number in range(1, 30):
        candidate = source.make(number)
        assert candidate.controls.shape == (6, 3)
        np.testing.assert_array_equal(np.diff(candidate.controls[:, 0]), 1.0)
        np.testing.assert_array_equal(candidate.controls[:, 1], 1000 * candidate.controls[:, 0])
        firsts.add(candidate.controls[0, 0])
        np.testing.assert_array_equal(candidate.rows, candidate.controls)
    assert len({first // 100 for first in firsts}) == 4
    assert len({first % 100 for first in firsts}) == 4
    np.testing.assert_array_equal(source.make(3).controls, source.make(3).controls)


def test_a_longer_schedule_goes_backwards_where_a_case_ends() -> None:
    first = recombined(20.0).make(1).controls[:, 0]
    np.testing.assert_array_equal(first - first.min(), [*range(9), *range(8, -1, -1), 0, 1, 2])


def test_ranges_of_the_user_replace_what_the_cases_did() -> None:
    inputs = parse_inputs({"u2": {"range": [5, 6], "family": "ramps"}}, 5.0)
    plan = CasesPlan(10, 5.0, 1.0, 7, inputs, {})
    source = recombined(plan=plan, groups=groups_of(CHANNELS.controls, [], ["u2"]), rates={"u2": 0.01, "u0": 0.25})
    candidate = source.make(2)
    assert ((candidate.controls[:, 2] >= 5) & (candidate.controls[:, 2] <= 6)).all()
    assert np.abs(np.diff(candidate.controls[:, 2])).max() <= 0.01 + 1e-12
    np.testing.assert_allclose(np.diff(candidate.controls[:, 0]), 0.25)
    assert candidate.origin.endswith("; u2 of ramps")


def test_where_a_stretch_starts_says_nothing_of_what_is_drawn_from_a_range() -> None:
    """Of 300 independent pairs the correlation is within 0.2 of 0 but once in two thousand times."""
    inputs = parse_inputs({"u2": {"range": [0, 1], "family": "constant"}}, 5.0)
    plan = CasesPlan(300, 5.0, 1.0, 1, inputs, {})
    source = recombined(plan=plan, groups=groups_of(CHANNELS.controls, [], ["u2"]))
    firsts, drawn = np.array([source.make(number).controls[0, [0, 2]] for number in range(1, 301)]).T
    assert abs(np.corrcoef(firsts % 100, drawn)[0, 1]) < 0.2
    assert abs(np.corrcoef(firsts // 100, drawn)[0, 1]) < 0.2


def test_groups_name_each_control_once() -> None:
    assert groups_of(("a", "b", "c"), [["c", "a"]], []) == [[2, 0], [1]]
    assert groups_of(("a", "b", "c"), [], ["b"]) == [[0], [2]]
    for together, planned, said in (
        ([["a"], ["a"]], [], "'a' is named twice"),
        ([["a"]], ["a"], "'a' is named twice"),
        ([["aa"]], [], "did you mean a?"),
        ([], ["d"], "there are a, b, c"),
    ):
        with pytest.raises(UserError, match="together|inputs") as caught:
            groups_of(("a", "b", "c"), together, planned)
        assert said in str(caught.value)


def test_modes_of_a_text_column_are_one_group_with_whatever_is_named_beside_one_of_them() -> None:
    controls = ("gear=P", "fan", "gear=R", "pedal", "gear=D")
    modes = [[0, 2, 4]]
    assert groups_of(controls, [], [], modes) == [[0, 2, 4], [1], [3]]
    assert groups_of(controls, [["fan", "gear=R"]], ["pedal"], modes) == [[1, 2, 0, 4]]
    assert groups_of(controls, [["fan", "gear=R"], ["pedal", "gear=D"]], [], modes) == [[1, 2, 3, 4, 0]]
    with pytest.raises(UserError, match="^inputs.gear=R: a mode, of which a row has exactly one; leave it out"):
        groups_of(controls, [], ["gear=R"], modes)


def test_the_circuit_plans_its_own_cases() -> None:
    circuit = Circuit(20.0, 0.5, "R134a", {"random_steps": 1.0}, 3)
    channels = plain_channels(2, 1)
    names = ("AmbT", "CompN")
    channels = replace(channels, controls=names, units={"AmbT": "K", "CompN": "rpm", "y0": "-"})
    source = SimulatorCases(circuit, replace(DESCRIPTION, channels=channels), 11)
    candidate = source.make(2)
    assert (candidate.number, candidate.name) == (12, "case0012")
    assert candidate.origin == "random_steps, case 12"
    table = circuit.schedule(12).values
    order = [[column.name for column in CONTROLS].index(name) for name in names]
    np.testing.assert_allclose(candidate.controls, table[:, order] + [273.15, 0])
    assert len(candidate.rows) == 21
    np.testing.assert_allclose(candidate.rows, candidate.controls[::2])
    channels = replace(channels, units={**channels.units, "CompN": "bar"})
    with pytest.raises(UserError, match="'rpm' cannot be converted to 'bar'"):
        SimulatorCases(circuit, replace(DESCRIPTION, channels=channels), 11)


class Broken(Circuit):
    """A simulator whose third schedule cannot be made."""

    def schedule(self, number: int) -> CaseTable:
        if number == 3:
            raise PlanError("recorded schedule a.csv: gone")
        return super().schedule(number)


def test_a_schedule_that_cannot_be_made_is_told_the_user() -> None:
    circuit = Broken(20.0, 0.5, "R134a", {"random_steps": 1.0}, 3)
    channels = replace(
        plain_channels(2, 1), controls=("AmbT", "CompN"), units={"AmbT": "°C", "CompN": "rpm", "y0": "-"}
    )
    description = replace(DESCRIPTION, channels=channels)
    source = SimulatorCases(circuit, description, 1)
    assert source.make(2).number == 2
    with pytest.raises(UserError, match=r"^dataset: recorded schedule a\.csv: gone$"):
        gather(source, Rules([], {}), description, 5)
    with pytest.raises(UserError, match="gone"):
        SimulatorCases(circuit, description, 3)


def test_candidates_keep_the_rules_or_it_is_said_which_refuse_them() -> None:
    names, source = CHANNELS.controls, recombined()
    rules = Rules([Constraint.of("u0 >= 200", names)], {})
    found = gather(source, rules, DESCRIPTION, 5)
    assert len(found) == 5
    assert all(candidate.controls[:, 0].min() >= 200 for candidate in found)
    assert [candidate.number for candidate in found] == sorted(candidate.number for candidate in found)
    assert gather(source, rules, DESCRIPTION, 2, found[2].number)[0].number == found[2].number
    rules = Rules([Constraint.of("u0 < 0", names)], {"u1": 1000.0})
    with pytest.raises(UserError, match=r"only 0 of 60 candidates keep the rules \(u0 < 0 refused 60\)"):
        gather(source, rules, DESCRIPTION, 3)
    with pytest.raises(UserError, match=r"rates.u1=999 refused 60"):
        gather(source, Rules([], {"u1": 999.0}), DESCRIPTION, 3)
    with pytest.raises(UserError, match="starts from 2 rows"):
        gather(recombined(1.0), Rules([], {}), DESCRIPTION, 3)
