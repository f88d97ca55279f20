"""Rounds of plan, simulate and train: what they leave, the goal, and that a loop that is killed anywhere goes on."""

import csv
import json
from copy import deepcopy
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lag import lag_case
from plan_rounds import Killed, config, left, train

from surrogate_modeling.cases.fingerprint import file_fingerprint
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import PlanConfig, Update
from surrogate_modeling.generation.simulator import Outcome, case_name
from surrogate_modeling.planning import loop as loop_module
from surrogate_modeling.planning import training
from surrogate_modeling.planning.loop import plan_in_rounds
from surrogate_modeling.planning.training import FirstCases
from surrogate_modeling.surrogate.model import Surrogate


def test_rounds_grow_the_cases_and_are_not_done_again(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = steps(None)
    plan_in_rounds(first, config(tmp_path, rounds=2), out, train)
    rows = list(csv.DictReader((out / "rounds.csv").open()))
    assert [(row["round"], row["cases"], row["failed"]) for row in rows] == [
        ("0", "3", "0"),
        ("1", "5", "0"),
        ("2", "7", "0"),
    ]
    assert len(list((out / "cases").glob("case*.csv"))) == 8
    # Candidates of the first round are cases 5 to 9, of the second 10 to 14.
    numbers = [json.loads((out / f"round0{i}" / "chosen.json").read_text())["numbers"] for i in (1, 2)]
    assert all(5 <= number <= 9 for number in numbers[0])
    assert all(10 <= number <= 14 for number in numbers[1])
    assert {path.name for path in (out / "round01").iterdir()} == {
        "plan.csv", "plan.html", "chosen.json", "schedules", "simulated.json", "lit_model.pth", "result.json",
    }  # fmt: skip
    assert sorted(path.stem for path in (out / "round01" / "schedules").iterdir()) == sorted(map(case_name, numbers[0]))
    before = left(out)
    done = steps(None)
    plan_in_rounds(first, config(tmp_path, rounds=2), out, train)
    assert left(out) == before
    assert set(done) == {"write_atomic"}
    plan_in_rounds(first, config(tmp_path, rounds=3), out, train)
    assert left(out)["results"][:2] == before["results"]
    assert len(left(out)["results"]) == 3


def test_a_loop_that_is_killed_after_any_step_goes_on_to_the_same_end(
    first: Surrogate, tmp_path: Path, steps: Any
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    done = steps(None)
    plan_in_rounds(first, config(tmp_path, rounds=2), whole, train)
    wanted, total = left(whole), len(done)
    assert total > 15
    for most in range(0, total, 2):
        out = tmp_path / f"killed{most}"
        out.mkdir()
        steps(most)
        with pytest.raises(Killed):
            plan_in_rounds(first, config(tmp_path, rounds=2), out, train)
        steps(None)
        plan_in_rounds(first, config(tmp_path, rounds=2), out, train)
        assert left(out) == wanted, f"killed after step {most}"


def test_the_goal_ends_the_rounds(
    first: Surrogate, tmp_path: Path, steps: Any, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    caplog.set_level("INFO")
    plan_in_rounds(first, config(tmp_path, until=1000.0), out, train)
    assert left(out)["results"] == []
    assert Surrogate.load(out / "lit_model.pth").lineage == first.lineage
    assert "until=1000 is reached" in caplog.text
    plan_in_rounds(first, config(tmp_path, rounds=1, until=1e-9), out, train)
    assert len(left(out)["results"]) == 1
    assert "until=1e-09 is not reached" in caplog.text


def test_rounds_of_another_command_are_refused(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    with pytest.raises(UserError, match=r"another command \(cases differ from rounds.json\)"):
        plan_in_rounds(first, config(tmp_path, cases=3), out, train)
    other = deepcopy(first)
    other.scaling.mean += 1
    with pytest.raises(UserError, match=r"another command \(surrogate differ"):
        plan_in_rounds(other, config(tmp_path), out, train)


def test_rounds_of_a_program_that_was_edited_are_refused(
    first: Surrogate, tmp_path: Path, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program, out = tmp_path / "simulate", tmp_path / "out"
    program.write_text("first")
    out.mkdir()
    steps(None)
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    program.write_text("second")
    with pytest.raises(UserError, match="simulate: was edited after the rounds there were begun; give another folder"):
        plan_in_rounds(first, config(tmp_path, rounds=2), out, train)
    program.unlink()
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    assert len(left(out)["results"]) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"update": Update.further}, "use update=anew"),
        ({"constraints": ["w <= 1"]}, "no control 'w'"),
        ({"constraints": ["u > 9"]}, "candidates keep the rules"),
        ({"rates": {"u": -1.0}}, "rates.u=-1.0"),
    ],
)
def test_a_command_that_was_refused_can_be_corrected(
    first: Surrogate, tmp_path: Path, steps: Any, wrong: dict[str, Any], said: str
) -> None:
    """The folder then holds what it would have held without the first try."""
    first.config = {**first.config, "model.name": "auto"}
    out, plain = tmp_path / "out", tmp_path / "plain"
    steps(None)
    for folder in (out, plain):
        folder.mkdir()
    with pytest.raises(UserError, match=said):
        plan_in_rounds(first, config(tmp_path, rounds=1, **wrong), out, train)
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    plan_in_rounds(first, config(tmp_path, rounds=1), plain, train)
    assert left(out) == left(plain)
    assert (out / "rounds.json").read_text() == (plain / "rounds.json").read_text()


def test_the_number_of_the_first_case_can_be_corrected(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    taken = config(tmp_path, rounds=1, candidates=2)
    assert taken.dataset is not None
    taken.dataset.cases = 3
    with pytest.raises(UserError, match="give the number of the last one"):
        plan_in_rounds(first, taken, out, train)
    assert not (out / "round01" / "plan.csv").exists()
    plan_in_rounds(first, config(tmp_path, rounds=1, candidates=2), out, train)
    assert left(out)["results"][0]["cases"] == 5
    assert json.loads((out / "rounds.json").read_text())["first"] == 5


def test_a_case_that_cannot_be_simulated_is_left_out(
    first: Surrogate, tmp_path: Path, steps: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    fails = count(1)
    real = loop_module.make_numbered

    def simulate(dataset: object, folder: Path, numbers: list[int]) -> list[Outcome]:
        if next(fails) > 1:
            return [Outcome(number, "left its region") for number in numbers]
        return [*real(dataset, folder, numbers[1:]), Outcome(numbers[0], "left its region")]

    monkeypatch.setattr(loop_module, "make_numbered", simulate)
    with pytest.raises(UserError, match="none of the 2 cases of round 2 could be simulated"):
        plan_in_rounds(first, config(tmp_path), out, train)
    (result,) = left(out)["results"]
    assert (result["cases"], result["failed"]) == (4, 1)
    assert "could not be simulated: left its region" in caplog.text


def test_a_case_that_failed_stays_out_where_the_training_was_killed(
    first: Surrogate, tmp_path: Path, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its training would not go on with another set of cases."""
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    real, fails = loop_module.make_numbered, [True]

    def simulate(dataset: object, folder: Path, numbers: list[int]) -> list[Outcome]:
        if fails[0]:
            return [*real(dataset, folder, numbers[1:]), Outcome(numbers[0], "not done after 5 s")]
        return real(dataset, folder, numbers)

    def killed(*_: object) -> Surrogate:
        raise Killed

    monkeypatch.setattr(loop_module, "make_numbered", simulate)
    with pytest.raises(Killed):
        plan_in_rounds(first, config(tmp_path, rounds=1), out, killed)
    trained_on = left(out)["cases"]
    fails[0] = False
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    assert left(out)["cases"] == trained_on
    assert [(each["cases"], each["failed"]) for each in left(out)["results"]] == [(4, 1)]


def test_scores_keep_the_scale_of_the_first_training(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    """Twice the standard deviation would halve the error of the same prediction."""
    out = tmp_path / "out"
    out.mkdir()
    steps(None)

    def same(first: Surrogate, before: Path, cases: FirstCases, config: PlanConfig, folder: Path) -> Surrogate:
        made = Surrogate.load(before)
        made.units = None
        return made

    plan_in_rounds(first, config(tmp_path, rounds=1), out, same)
    rows = list(csv.DictReader((out / "rounds.csv").open()))
    assert rows[0]["nADE"] == rows[1]["nADE"]
    test = lag_case(60, 4)
    rows_ = first.predict([test])[0]
    expected = np.abs(rows_[:, 1] - test.truth(len(rows_))[:, 1]).mean() / first.predicted_scale[1]
    assert float(rows[0]["nADE"]) == pytest.approx(float(expected), rel=1e-3)


def test_files_keep_their_names_and_are_csv(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    out, old = tmp_path / "out", tmp_path / "old"
    out.mkdir()
    steps(None)
    (old / "case0004.csv").rename(old / "case0004.CSV")
    (step,) = first.lineage
    first.lineage = (replace(step, fingerprint=file_fingerprint(sorted(old.iterdir()))),)
    plan_in_rounds(first, config(tmp_path, rounds=1), out, train)
    assert len(left(out)["results"]) == 1
    for file in sorted(old.iterdir()):
        file.rename(file.with_suffix(".parquet"))
    first.lineage = (replace(step, pattern="*.parquet", fingerprint=file_fingerprint(sorted(old.iterdir()))),)
    with pytest.raises(UserError, match=r"rounds: case0001.parquet: new cases are CSV files"):
        training.first_cases(first, config(tmp_path))


def test_cases_that_cannot_be_used_are_refused(first: Surrogate, tmp_path: Path, steps: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    steps(None)
    taken = config(tmp_path)
    assert taken.dataset is not None
    taken.dataset.cases = 3
    with pytest.raises(UserError, match="is a training case; give the number of the last one"):
        plan_in_rounds(first, PlanConfig(**{**vars(taken), "candidates": 2}), out, train)
    (tmp_path / "old").rename(tmp_path / "moved")
    with pytest.raises(UserError, match="No such file"):
        plan_in_rounds(first, config(tmp_path), tmp_path, train)
    first.lineage = ()
    with pytest.raises(UserError, match="does not say how and on which cases"):
        training.first_cases(first, config(tmp_path))
