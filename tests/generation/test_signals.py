"""Signals of planned inputs: ranges, times, rates, and recorded schedules."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.generation.cases_plan import FAMILIES, CasesPlan, parse_inputs
from surrogate_modeling.generation.signals import input_family, limit_rate, make_inputs, require_recorded
from surrogate_modeling.generation.simulator import PlanError

TIMES = [2.0, 8.0]


def plan(inputs: dict, duration: float = 100.0, step: float = 0.5) -> CasesPlan:
    return CasesPlan(5, duration, step, 0, parse_inputs(inputs, duration), {})


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "recorded"])
def test_signals_keep_their_range_and_depend_on_seed_and_number_only(family: str) -> None:
    item = {"range": [-1.0, 3.0], "family": family, "times": TIMES}
    wanted = plan({"a": item, "b": item})
    for number in range(1, 20):
        values = make_inputs(wanted, number)
        assert values.shape == (201, 2)
        assert values.min() >= -1.0
        assert values.max() <= 3.0
        assert not np.array_equal(values[:, 0], values[:, 1])
    np.testing.assert_array_equal(make_inputs(wanted, 7), make_inputs(wanted, 7))
    assert not np.array_equal(make_inputs(wanted, 7), make_inputs(wanted, 8))


def lengths(values: np.ndarray) -> np.ndarray:
    """Rows between changes of a signal; the last, which the end cuts, is left out."""
    return np.diff(np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1)))


def test_shapes_of_the_families() -> None:
    for number in range(1, 10):
        of = {
            family: make_inputs(plan({"a": {"range": [0, 1], "family": family, "times": TIMES}}), number)[:, 0]
            for family in ("constant", "steps", "ramps", "multisine", "prbs")
        }
        assert len(np.unique(of["constant"])) == 1
        assert lengths(of["steps"]).min() >= 4
        assert lengths(of["steps"]).max() <= 16
        # Straight between corners that are 4 to 16 rows apart.
        bends = np.abs(np.diff(of["ramps"], 2)) > 1e-9
        assert 201 / 16 - 2 <= bends.sum() <= 201 / 4
        assert np.abs(of["multisine"] - 0.5).max() == pytest.approx(0.5)
        assert set(of["prbs"]) == {0.0, 1.0}
        assert set(lengths(of["prbs"]) % 4) == {0}


def test_a_rate_limit_follows_as_fast_as_allowed() -> None:
    np.testing.assert_allclose(limit_rate(np.array([0.0, 1, 1, 1, 0]), 0.4), [0, 0.4, 0.8, 1, 0.6])
    slow = make_inputs(plan({"a": {"range": [0, 10], "rate": 0.3, "times": TIMES}}), 1)[:, 0]
    assert np.abs(np.diff(slow)).max() == pytest.approx(0.15)


def test_each_case_draws_one_of_several_families() -> None:
    wanted = plan({"a": {"range": [0, 1], "family": ["constant", "prbs"]}})
    drawn = {number: input_family(wanted, number, 0) for number in range(1, 30)}
    assert set(drawn.values()) == {"constant", "prbs"}
    for number, family in drawn.items():
        assert len(np.unique(make_inputs(wanted, number))) == (1 if family == "constant" else 2)


def test_recorded_inputs_of_one_file_keep_together(tmp_path: Path) -> None:
    time = np.arange(0.0, 301.0)
    for name, sign in (("a", 1), ("b", -1)):
        rows = "".join(f"{t + 7},{sign * t},{sign * 2 * t}\n" for t in time)
        (tmp_path / f"{name}.csv").write_text(f"time,u,v\ns,-,-\n{rows}")
    file = {"file": str(tmp_path)}
    wanted = plan({"u": file, "v": {**file, "range": [-600, 600]}})
    first, second = make_inputs(wanted, 1), make_inputs(wanted, 2)
    for values, sign in ((first, 1), (second, -1)):
        np.testing.assert_allclose(values[:, 1], 2 * values[:, 0])
        np.testing.assert_allclose(np.diff(values[:, 0]), 0.5 * sign)
    before = wanted.content()
    (tmp_path / "b.csv").write_text("time,u,v\ns,-,-\n0,1,1\n300,1,1\n")
    assert before != wanted.content()


def test_the_stretch_depends_on_the_record_and_not_on_where_it_lies(tmp_path: Path) -> None:
    for place, last in (("a", 300), ("b", 300), ("c", 299)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "r.csv").write_text(f"time,u\ns,-\n0,0\n{last},{last}\n")
    stretches = {
        name: make_inputs(plan({"u": {"file": str(tmp_path / name)}}), 1)[:, 0]
        for name in ("a", "b/r.csv", "b/*.csv", "c")
    }
    for name in ("b/r.csv", "b/*.csv"):
        np.testing.assert_array_equal(stretches[name], stretches["a"])
    assert abs(stretches["c"][0] - stretches["a"][0]) > 1


def test_a_record_is_checked_as_a_whole_whatever_stretches_are_drawn(tmp_path: Path) -> None:
    """Of 300 s only the last row is beyond the range, which no case of 100 s is likely to take."""
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        (tmp_path / f"{name}.csv").write_text(f"time,u\ns,-\n0,0.5\n299,0.5\n300,{2 if name == 'g' else 0.5}\n")
    wanted = plan({"u": {"file": str(tmp_path), "range": [0, 1]}})
    with pytest.raises(PlanError, match=r"inputs.u: .*g.csv goes from 0.5 to 2, beyond range = \[0.0, 1.0\]; widen"):
        require_recorded(wanted)
    require_recorded(plan({"u": {"file": str(tmp_path), "range": [0, 2]}, "v": [0, 1]}))


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        ("time,w\ns,-\n0,1\n200,2\n", {}, "inputs.u: .*a.csv has no such column; it has w"),
        ("time,u\ns,-\n0,1\n99,2\n", {}, "inputs.u: .*a.csv lasts 99 s, less than duration = 100 s"),
        ("time,u\ns,-\n0,1\n100,2\n", {"range": [0, 1.5]}, r"a.csv goes from 1 to 2, beyond range = \[0.0, 1.5\]"),
        ("time,u\ns,-\n0,one\n100,2\n", {}, "recorded schedule a.csv: line 3, column 2"),
    ],
)
def test_recorded_schedules_that_cannot_be_used(tmp_path: Path, text: str, change: dict, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    wanted = plan({"u": {"file": str(tmp_path / "a.csv"), **change}})
    with pytest.raises(PlanError, match=message):
        require_recorded(wanted)
    with pytest.raises(PlanError, match=message):
        make_inputs(wanted, 1)
