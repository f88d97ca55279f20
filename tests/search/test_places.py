"""Trials side by side: a free place takes the next trial at once, whichever launcher runs them."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from searching import App, states

from surrogate_modeling.search.places import Together, make_places

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
GRID = ["hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=2"]


@pytest.fixture
def app(tmp_path: Path) -> App:
    app = App(tmp_path)
    (tmp_path / "marks").mkdir()
    app.environment["MARKS"] = str(tmp_path / "marks")
    return app


@pytest.mark.parametrize(
    ("package", "launcher"),
    [
        ("hydra_joblib_launcher", JOBLIB),
        pytest.param("hydra_submitit_launcher", ["hydra/launcher=submitit_local"], marks=pytest.mark.slow),
        pytest.param(
            "hydra_ray_launcher", ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"], marks=pytest.mark.slow
        ),
    ],
)
def test_a_long_trial_lets_the_others_pass(app: App, package: str, launcher: list[str]) -> None:
    pytest.importorskip(f"hydra_plugins.{package}")
    app.environment["OTHERS"] = "3"
    code, said = app.run("n=range(1,4)", *GRID, *launcher)
    assert code == 0, said
    trials = {trial.params["n"]: trial for trial in app.trials()}
    assert states(app.trials()) == {"COMPLETE": 4}
    ends = {n: trial.datetime_complete for n, trial in trials.items()}
    assert ends[1] > max(ends[2], ends[3]), "a place took the others one after another"
    assert [trial.value for _, trial in sorted(trials.items())] == [5.0, 2.0, 1.0, 2.0]
    assert "4 of 4 trials done" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_trial_with_it(app: App) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    app.environment |= {"OTHERS": "2", "DIE_AT": "2"}
    code, said = app.run("n=range(1,3)", *GRID, *JOBLIB)
    assert code == 0, said
    ended = {trial.params["n"]: trial for trial in app.trials()}
    assert {n: trial.state.name for n, trial in ended.items()} == {1: "COMPLETE", 2: "FAIL", 3: "COMPLETE"}
    assert "TerminatedWorkerError" in ended[2].user_attrs["reason"]


@pytest.mark.slow
def test_after_too_many_failures_what_runs_comes_to_its_end(app: App) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    app.environment["OTHERS"] = "1"
    code, said = app.run("n=range(1,4)", "fail_every=2", "hydra.sweeper.max_failure_rate=0", *GRID, *JOBLIB)
    assert code == 2, said
    assert "waiting for 1 trials that still run" in said
    assert "error: 1 of 2 trials failed, more than hydra.sweeper.max_failure_rate=0 allows" in said
    assert states(app.trials()) == {"COMPLETE": 1, "FAIL": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "launcher"),
    [
        ("hydra_joblib_launcher", JOBLIB),
        ("hydra_submitit_launcher", ["hydra/launcher=submitit_local"]),
        ("hydra_ray_launcher", ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"]),
    ],
)
def test_ctrl_c_ends_the_trials_and_their_points_are_tried_again(app: App, package: str, launcher: list[str]) -> None:
    pytest.importorskip(f"hydra_plugins.{package}")
    app.environment["OTHERS"] = "99"
    process = app.start("n=range(1,3)", *GRID, *launcher)
    assert process.stdout is not None
    while "2 of 3 trials done" not in (line := process.stdout.readline()):
        assert line, "the search ended before it was interrupted"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert states(app.trials()) == {"COMPLETE": 2, "FAIL": 1}
    (failed,) = (trial for trial in app.trials() if trial.state.name == "FAIL")
    assert failed.user_attrs["reason"] == "the search was interrupted"
    app.environment["OTHERS"] = "2"
    code, said = app.run("n=range(1,3)", *GRID, *launcher)
    assert code == 0, said
    assert states(app.trials()) == {"COMPLETE": 3, "FAIL": 1}


class Fake:
    """A launcher that returns the number of each job, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def launch(self, overrides: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
        if self.error:
            raise self.error
        return [JobReturn(_return_value=initial_job_idx + i, status=JobStatus.COMPLETED) for i in range(len(overrides))]


def test_another_launcher_is_left_to_itself() -> None:
    config = OmegaConf.create({"hydra": {"hydra_logging": {"root": None}, "verbose": False}})
    places = make_places(Fake(), config, at_once=2)
    assert isinstance(places, Together)
    places.start(3, ["n=1"])
    places.start(4, ["n=2"])
    assert {number: result.return_value for number, result in places.ended().items()} == {3: 3, 4: 4}
    failing = make_places(Fake(error := RuntimeError("no node")), config, at_once=2)
    failing.start(5, ["n=1"])
    failing.start(6, ["n=2"])
    assert failing.ended() == {5: error, 6: error}


def test_one_at_a_time_is_left_to_joblib() -> None:
    joblib = pytest.importorskip("hydra_plugins.hydra_joblib_launcher.joblib_launcher")
    assert isinstance(make_places(joblib.JoblibLauncher(), SimpleNamespace(), at_once=1), Together)
