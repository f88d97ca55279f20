"""One real search, end to end: training, the store, and what it leaves."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pytest

from surrogate_modeling.config import PROJECT_ROOT

TRAIN = PROJECT_ROOT / "src" / "surrogate_modeling" / "train.py"


def write_cases(folder: Path, count: int = 5, rows: int = 40) -> Path:
    """Cases of a first-order lag."""
    folder.mkdir()
    for i in range(count):
        control = np.repeat(np.random.default_rng(i).uniform(0, 1, rows // 10), 10)
        state = np.zeros(rows)
        for t in range(1, rows):
            state[t] = 0.9 * state[t - 1] + 0.1 * control[t]
        lines = ["time,bulb,T", "s,-,degC", *(f"{t},{control[t]:.5f},{state[t]:.5f}" for t in range(rows))]
        (folder / f"case{i}.csv").write_text("\n".join(lines) + "\n")
    return folder


def train(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a store of its own."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TRAIN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A search over one choice and one range with two objectives."""
    tmp_path = tmp_path_factory.mktemp("search")
    cases = write_cases(tmp_path / "cases")
    done = train(
        tmp_path, "-m", "+search=don", "model.trunk_depth=2", "model.trunk_dim=16", "model.branch_depth=2",
        "model.branch_dim=16", "model.width=choice(4,8)", "settings.in_len=choice(5,10)", "dataset=csv",
        f"dataset.path={cases}", "dataset.controls=1", "settings.is_debug=true", "settings.batch_size=64",
        "settings.mlflow_exp_name=searched", "hydra.sweeper.objective=[nADE,parameters]",
        "hydra.sweeper.direction=[minimize,minimize]", "hydra.sweeper.n_trials=3", "hydra.sweeper.study_name=s",
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
