"""One real search, end to end: training, the store, and what it leaves."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import optuna
import pytest
from builders import TRAIN, empty_store, run_command, write_plant


def train(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(tmp_path, [str(TRAIN)], *arguments)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A search over one choice and one range with two objectives."""
    tmp_path = tmp_path_factory.mktemp("search")
    empty_store(tmp_path)
    cases = write_plant(tmp_path / "cases", count=5, rows=40)
    done = train(
        tmp_path, "-m", "+search=don", "model.trunk_depth=2", "model.trunk_dim=16", "model.branch_depth=2",
        "model.branch_dim=16", "model.width=choice(4,8)", "settings.in_len=choice(5,10)", "dataset=csv",
        f"dataset.path={cases}", "dataset.controls=1", "settings.is_debug=true", "settings.batch_size=64",
        "settings.mlflow_exp_name=searched", "hydra.sweeper.objective=[nADE,parameters]",
        "hydra.sweeper.direction=[minimize,minimize]", "hydra.sweeper.n_trials=3", "hydra.sweeper.study_name=s",
        "hydra.sweeper.sampler.seed=0",
        f"hydra.sweeper.storage='sqlite:///{tmp_path}/db/studies.db'", f"hydra.sweep.dir={tmp_path}/out",
    )  # fmt: skip
    return tmp_path, done


def test_a_run_for_the_search_and_one_for_each_trial(
    searched: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    tmp_path, done = searched
    assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("searched").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/db/studies.db").trials
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(run.data.tags["trial"] for run in children) == ["0", "1", "2"]
    for run in children:
        trial = trials[int(run.data.tags["trial"])]
        assert run.data.params["model.width"] == str(trial.params["model.width"])
        assert run.data.metrics["objective/nADE"] == pytest.approx(trial.values[0])
        assert run.data.metrics["objective/parameters"] == trial.values[1]
    artifacts = Path(parent.info.artifact_uri.removeprefix("file://"))
    pictures = {path.name for path in (artifacts / "pictures").iterdir()}
    assert {"history_nADE.png", "slices_nADE.png", "parallel_nADE.png", "pareto_front.png"} <= pictures
    rows = list(csv.DictReader((artifacts / "trials.csv").open()))
    assert [row["state"] for row in rows] == ["COMPLETE"] * 3
    # Nothing is left behind but the study.
    assert not (tmp_path / "out").exists()


def test_the_best_configuration_goes_back_into_train(
    searched: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    tmp_path, done = searched
    (best,) = (tmp_path / "mlruns").rglob("best.yaml")
    composed = train(tmp_path, "--config-dir", str(best.parent), "--config-name", "best", "--cfg", "job")
    assert composed.returncode == 0, composed.stderr
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/db/studies.db")
    params = min(study.best_trials, key=lambda trial: trial.values[0]).params
    assert f"width: {params['model.width']}\n" in composed.stdout
    assert f"lr: {params['settings.lr']}\n" in composed.stdout
    assert f"settings.lr={params['settings.lr']}" in done.stdout, "the command that trains the best trial again"


QUICK = [
    "model=don", "model.width=4", "model.trunk_dim=8", "model.trunk_depth=2", "model.branch_dim=8",
    "model.branch_depth=2", "dataset=csv", "dataset.controls=1", "settings.epochs=1", "settings.num_figures=0",
]  # fmt: skip


@pytest.mark.parametrize(
    ("searched", "objective", "said"),
    [
        ("settings.criterion=choice(mse,l1)", "val_loss", "for each value of settings.criterion, which"),
        (
            "settings.byproduct_weight=interval(0.1,1.0)",
            "val_loss",
            "for each value of settings.byproduct_weight, which",
        ),
        ("settings=choice(default,stable)", "val_loss", "settings.horizon"),
        ("dataset.targets=choice([p],[T])", "val_loss", "for each value of dataset.targets, which"),
        ("settings.lr=choice(0.1,0.2)", "val_nADE", "needs settings.free_run_every in every trial, or take nADE"),
        ("settings.free_run_every=choice(null,1)", "val_nADE", "needs settings.free_run_every in every trial"),
    ],
)
def test_objectives_that_do_not_compare_are_refused_before_the_first_trial(
    tmp_path: Path, searched: str, objective: str, said: str
) -> None:
    done = train(
        tmp_path, "-m", searched, f"hydra.sweeper.objective={objective}", f"hydra.sweep.dir={tmp_path}/out", *QUICK,
        f"dataset.path={tmp_path}", f"hydra.sweeper.storage=sqlite:///{tmp_path}/s.db",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"hydra.sweeper.objective={objective}: " in done.stderr
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_search_is_known_by_its_cases_and_its_own_configuration_files(tmp_path: Path) -> None:
    for project, rows in (("A", 40), ("B", 50)):
        (tmp_path / project).mkdir()
        write_plant(tmp_path / project / "cases", count=5, rows=rows)
    (tmp_path / "my files").mkdir()
    experiment = tmp_path / "my files" / "mine.yaml"
    experiment.write_text("defaults:\n  - config\n  - _self_\nsettings:\n  in_len: 6\n")
    common = [
        "-m", "settings.lr=choice(0.001,0.002)", f"hydra.sweep.dir={tmp_path}/out", *QUICK, "hydra.sweeper.n_trials=1",
        f"hydra.sweeper.storage=sqlite:///{tmp_path}/s.db", "settings.in_len=5",
    ]  # fmt: skip
    own = [f"--config-dir={tmp_path}/my files", "--config-name=mine"]
    results = [
        train(tmp_path, *common, f"dataset.path={tmp_path}/A/cases"),
        train(tmp_path, *common, f"dataset.path={tmp_path}/B/cases"),
        # The key is fixed on the command line, so that only the name of the file differs: the same problem.
        train(tmp_path, *own, *common, f"dataset.path={tmp_path}/B/cases"),
        train(tmp_path, *own, *common[:-1], f"dataset.path={tmp_path}/B/cases"),
    ]
    assert [done.returncode for done in results] == [0] * 4, [done.stderr for done in results]
    assert "fingerprint of the cases was" in results[1].stdout
    assert "0 of 1 trials done" in results[1].stdout
    assert "1 of 1 trials done" in results[2].stdout
    assert "settings.in_len was 5 and is 6" in results[3].stdout
    again = next(line for line in results[3].stdout.splitlines() if line.startswith("  pdm run train"))
    assert again.startswith(f"  pdm run train '--config-dir={tmp_path}/my files' --config-name=mine model=don ")
    assert " settings.lr=0.00" in again
    newest = max((tmp_path / "mlruns").rglob("best.yaml"), key=lambda path: path.stat().st_mtime)
    composed = train(tmp_path, "--config-dir", str(newest.parent), "--config-name", "best", "--cfg", "job")
    assert composed.returncode == 0, composed.stderr
    assert "in_len: 6\n" in composed.stdout
    assert not (tmp_path / "out").exists(), "finished searches leave no folders"


@pytest.mark.slow
def test_trials_of_a_killed_worker_are_recorded_as_killed(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    cases = write_plant(tmp_path / "cases", count=5, rows=40)
    command = [
        sys.executable, str(TRAIN), "-m", "settings.lr=choice(0.001,0.002)", "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=2", f"hydra.sweep.dir={tmp_path}/out", *QUICK,
        "settings.epochs=100000", "settings.patience=100000", f"dataset.path={cases}", "settings.in_len=5",
        f"hydra.sweeper.storage=sqlite:///{tmp_path}/s.db", "settings.mlflow_exp_name=killed",
        "hydra.sweeper.max_failure_rate=0",
    ]  # fmt: skip
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 600
        while sum("val_loss" in path.read_text() for path in (tmp_path / "out").glob("*/tracking.jsonl")) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.2)
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True
        )
        workers = [int(line.split()[0]) for line in listed.stdout.splitlines() if "LokyProcess" in line]
        assert len(workers) == 2
        # Of its own, each takes only its trial with it.
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        output, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 2
    assert "2 of 2 trials failed" in output + errors
    client = mlflow.MlflowClient(store)
    runs = client.search_runs([client.get_experiment_by_name("killed").experiment_id])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {run.info.status for run in children} == {"KILLED"}
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ctrl_c_ends_the_trial_which_counts_and_not_the_search(tmp_path: Path) -> None:
    """One press in each of two trials that would train for ever."""
    cases = write_plant(tmp_path / "cases", count=5, rows=40)
    uri = empty_store(tmp_path)
    command = [
        sys.executable, str(TRAIN), "-m", "settings.lr=choice(0.001,0.002)", "hydra.sweeper.n_trials=2",
        f"hydra.sweep.dir={tmp_path}/out", *QUICK, "settings.epochs=100000", "settings.patience=100000",
        f"dataset.path={cases}", "settings.in_len=5", f"hydra.sweeper.storage=sqlite:///{tmp_path}/s.db",
        "hydra.sweeper.study_name=s", "settings.mlflow_exp_name=ended",
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        for number in range(2):
            deadline = time.monotonic() + 600
            while not any("val_loss" in path.read_text() for path in (tmp_path / "out").glob(f"{number}-*/*.jsonl")):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0, output + errors
    assert errors.count("Ctrl-C again interrupts at once") == 2
    assert "Ctrl-C once while a trial trains" in output
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/s.db").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE"]
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("ended").experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [run.data.tags.get("ended_early") for run in runs].count("Ctrl-C") == 2
