"""One real search, end to end: training, the store, and what it leaves."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import mlflow
import optuna
import pytest
from builders import TRAIN, run_command, write_plant


def train(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(tmp_path, [str(TRAIN)], *arguments)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A search over one choice and one range with two objectives."""
    tmp_path = tmp_path_factory.mktemp("search")
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
