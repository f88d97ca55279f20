"""Searches as users run them, on a task that costs nothing: a Hydra command with a quadratic objective."""

from __future__ import annotations

import csv
import random
import signal
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState
from searching import SPACE, App, states, wait_for_trial


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


@pytest.mark.slow
def test_the_same_command_runs_only_what_is_missing(app: App) -> None:
    assert app.run(*SPACE, "hydra.sweeper.n_trials=2")[0] == 0
    code, said = app.run(*SPACE, "hydra.sweeper.n_trials=2")
    assert (code, states(app.trials())) == (0, {"COMPLETE": 2})
    assert "2 of 2 trials done" in said
    code, said = app.run(*SPACE, "hydra.sweeper.n_trials=4")
    assert (code, states(app.trials())) == (0, {"COMPLETE": 4})
    # A seeded sampler in a new process does not draw the first points again.
    assert len({tuple(trial.params.values()) for trial in app.trials()}) == 4
    best = min(app.trials(), key=lambda trial: trial.value or 0)
    assert f"pdm run train --config-name=app x={best.params['x']} n={best.params['n']}" in said
    table = next(iter(sorted((app.folder / "out").glob("*/search-*/trials.csv"), key=lambda p: p.stat().st_mtime)[-1:]))
    rows = list(csv.DictReader(table.open()))
    assert [int(row["trial"]) for row in rows] == list(range(4))
    assert float(rows[best.number]["val_loss"]) == pytest.approx(best.value)


def test_a_failed_trial_is_said_in_one_line_and_replaced(app: App) -> None:
    code, said = app.run("n=range(0,30)", "fail_every=3", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_trials=3")
    assert code == 0
    failed = [trial for trial in app.trials() if trial.state is TrialState.FAIL]
    assert [trial.params["n"] for trial in failed] == [0, 3]
    assert [trial.user_attrs["reason"] for trial in failed] == [f"RuntimeError: n={n} is no good" for n in (0, 3)]
    assert said.count("is no good") == 2
    assert "Traceback" not in said
    assert states(app.trials())["COMPLETE"] == 3


def test_a_storage_that_goes_away_before_the_first_trial_is_one_line(app: App) -> None:
    program = app.folder / "app.py"
    away = """
from optuna.exceptions import StorageInternalError
from surrogate_modeling.search.study import SearchStudy

def with_result(study):
    raise StorageInternalError("server closed the connection")

SearchStudy.with_result = with_result
"""
    program.write_text(away + program.read_text())
    code, said = app.run(*SPACE)
    assert code == 2
    assert said.splitlines()[-1] == (
        f"error: hydra.sweeper.storage={app.folder}/db/studies.db does not answer: StorageInternalError: server closed "
        "the connection; when it does, the same command goes on with the study"
    )
    assert "Traceback" not in said


@pytest.mark.slow
def test_too_many_failures_end_the_search(app: App) -> None:
    app.environment["RETURNS"] = "bad"
    code, said = app.run(*SPACE)
    assert code == 2
    assert "error: 3 of 3 trials failed, more than hydra.sweeper.max_failure_rate=0.5 allows" in said
    assert "val_loss is nan" in app.trials()[0].user_attrs["reason"]
    # After the fault is mended, the same study goes on.
    del app.environment["RETURNS"]
    assert app.run(*SPACE, "hydra.sweeper.n_trials=2")[0] == 0
    assert states(app.trials()) == {"FAIL": 3, "COMPLETE": 2}


def test_ctrl_c_keeps_what_is_done(app: App) -> None:
    app.environment["KILL_AT"] = "2"
    code, said = app.run("n=range(1,3)", "hydra/sweeper/sampler=grid")
    assert code == 130, said
    assert states(app.trials()) == {"COMPLETE": 1, "FAIL": 1}
    del app.environment["KILL_AT"]
    assert app.run("n=range(1,3)", "hydra/sweeper/sampler=grid")[0] == 0
    # The point that was interrupted is not lost.
    assert sorted(t.params["n"] for t in app.trials() if t.state is TrialState.COMPLETE) == [1, 2, 3]


def kill_at_random(app: App, arguments: list[str], times: int, seed: int) -> None:
    """SIGKILL a search ``times`` times, each while a trial runs."""
    generator = random.Random(seed)
    for _ in range(times):
        process = app.start(*arguments)
        for _ in range(generator.randint(1, 3)):
            wait_for_trial(process)
        time.sleep(generator.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("times", "storage"),
    [
        (1, "sqlite"),
        pytest.param(3, "sqlite", marks=pytest.mark.slow),
        pytest.param(3, "journal", marks=pytest.mark.slow),
    ],
)
def test_a_killed_search_goes_on_to_exactly_n(app: App, times: int, storage: str) -> None:
    arguments = [*SPACE, f"hydra.sweeper.n_trials={4 * times}", "sleep=0.3"]
    if storage == "journal":
        arguments.append(f"hydra.sweeper.storage='journal:///{app.folder}/db/studies.log'")
    kill_at_random(app, arguments, times, seed=times)
    code, said = app.run(*arguments)
    assert code == 0, said
    assert "was running when its process ended: marked FAILED" in said
    folders = [path for path in (app.folder / "out").rglob("*") if path.is_dir()]
    assert all(any(folder.iterdir()) for folder in folders), "no empty folder is left"
    if storage == "journal":
        assert f"{4 * times} of {4 * times} trials done" in said
        return
    trials = app.trials()
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert len(complete) == len({tuple(trial.params.values()) for trial in complete}) == 4 * times
    assert states(trials) == {"COMPLETE": 4 * times, "FAIL": times}
    assert all("killed" in trial.user_attrs["reason"] for trial in trials if trial.state is TrialState.FAIL)


@pytest.mark.slow
def test_two_processes_share_a_study(app: App) -> None:
    arguments = [*SPACE, "hydra.sweeper.n_trials=6", "sleep=0.5"]
    both = [app.start(*arguments) for _ in range(2)]
    said = [process.communicate(timeout=180)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    trials = app.trials()
    assert states(trials) == {"COMPLETE": 6}
    assert len({tuple(trial.params.values()) for trial in trials}) == 6
    assert len({trial.user_attrs["worker"]["lock"] for trial in trials}) == 2


@pytest.mark.slow
def test_several_objectives_give_a_pareto_front(app: App) -> None:
    app.environment["RETURNS"] = "two"
    code, said = app.run(
        *SPACE, "hydra.sweeper.objective=[nADE,parameters]",
        "hydra.sweeper.direction=[minimize,maximize]", "hydra/sweeper/sampler=nsgaii", "hydra.sweeper.n_trials=3",
    )  # fmt: skip
    assert code == 0, said
    assert "Pareto front of s" in said
    code, said = app.run(*SPACE, "hydra.sweeper.n_trials=6")
    assert code == 2
    assert "this study has another problem: objective nADE was minimize and is not there" in said


@pytest.mark.slow
def test_several_at_once_with_joblib(app: App) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    code, said = app.run(
        *SPACE, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=6", "fail_every=4"
    )
    assert code == 0, said
    assert states(app.trials())["COMPLETE"] == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ["hydra.sweeper.direction=[minimize,maximize]"],
            "hydra.sweeper.direction=['minimize', 'maximize']: must be one",
            marks=pytest.mark.slow,
        ),
        (["hydra.sweeper.objective=loss"], "hydra.sweeper.objective=['loss']: must be one or several of val_loss"),
        pytest.param(
            ["hydra.sweeper.n_trials=0"],
            "hydra.sweeper.n_trials=0: must be a whole number from 1",
            marks=pytest.mark.slow,
        ),
        (["hydra.sweeper.storage='mysql://u:secret@h/d'"], "mysql://u:***@h/d: cannot be opened: ModuleNotFoundError"),
        (["hydra.sweeper.storage=somewhere"], "must be null (memory), sqlite:///<file>"),
        (["+hydra.sweeper.n_trial=3"], "hydra.sweeper.n_trial: no such key; did you mean n_trials?"),
        (["hydra.sweeper.n_trails=3"], "hydra.sweeper.n_trails: no such key; did you mean n_trials?"),
        (["+hydra.sweeper.custom_search_space=a.b"], "hydra.sweeper.custom_search_space=a.b: code that extends"),
        pytest.param(
            ["hydra.sweeper.sampler.seed=-1"],
            "hydra.sweeper.sampler.seed=-1: must be a whole number from 0",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["hydra.sweeper.sampler=annealing"],
            "must be one of tpe, random, grid, cmaes, nsgaii, gp",
            marks=pytest.mark.slow,
        ),
        (["hydra.sweeper.sampler=grid"], "hydra.sweeper.sampler=grid: takes choice(...) and range(...)"),
    ],
)
def test_refused_before_the_first_trial(app: App, arguments: list[str], said: str) -> None:
    code, text = app.run(*SPACE, *arguments)
    assert code == 2
    assert said in text
    assert "secret" not in text
    assert "Traceback" not in text
    assert not (app.folder / "out").exists()


@pytest.mark.slow
def test_a_study_goes_on_only_with_its_own_problem(app: App) -> None:
    few = [*SPACE, "hydra.sweeper.n_trials=1", "hydra/sweeper/sampler=random"]
    assert app.run(*few)[0] == 0
    for other, differing in (
        (["fail_every=7"], "fail_every was 0 and is 7"),
        (["n=range(1,4)", "hydra.sweeper.direction=maximize"], "objective val_loss was minimize and is maximize"),
        (["n=choice(1,2)"], "range of n was IntDistribution"),
    ):
        code, said = app.run(*few, *other)
        assert code == 2
        assert f"hydra.sweeper.study_name=s: this study has another problem: {differing}" in said
    # A narrower range is the same problem; so are another sampler and another number of trials.
    assert app.run(*few, "n=range(1,2)", "hydra.sweeper.n_trials=2", "hydra/sweeper/sampler=tpe")[0] == 0
    assert len(app.trials()) == 2
    # Without a name of its own, another problem is another study, and what differs is said.
    unnamed = ["hydra.sweeper.study_name=null", *few]
    assert app.run(*unnamed)[0] == 0
    code, said = app.run(*unnamed, "fail_every=7")
    assert code == 0
    assert ": fail_every was 0 and is 7" in said
    assert "0 of 1 trials done" in said


@pytest.mark.slow
def test_without_a_seed_each_study_draws_its_own(app: App) -> None:
    arguments = [*SPACE, "hydra.sweeper.n_trials=1", "hydra/sweeper/sampler=random"]
    for name in ("s", "t"):
        assert app.run(*arguments, f"hydra.sweeper.study_name={name}")[0] == 0
    assert app.trials("s")[0].params != app.trials("t")[0].params
    for name in ("u", "v"):
        assert app.run(*arguments, f"hydra.sweeper.study_name={name}", "hydra.sweeper.sampler.seed=3")[0] == 0
    assert app.trials("u")[0].params == app.trials("v")[0].params
