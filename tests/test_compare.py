"""The command as users run it: stopped, gone on with, repeated, and a pair that diverges."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from builders import PROJECT_ROOT, empty_store, run_command, write_plant

COMPARE = PROJECT_ROOT / "src" / "surrogate_modeling" / "compare.py"
DON = "don model.width=4 model.trunk_dim=8"
MODELS = f'models=["{DON}","ssm model.width=4 model.states=4"]'


def arguments(tmp_path: Path) -> list[str]:
    return [
        "dataset=csv", f"dataset.path={tmp_path / 'plant'}", "dataset.controls=1", "dataset.targets=['T/out','圧力.a']",
        "dataset.test=2", "dataset.split=last", f"output={tmp_path / 'out'}", "seeds=[1,2]", "settings.epochs=2",
        "settings.batch_size=64", "settings.mlflow_exp_name=comparison",
    ]  # fmt: skip


def compare(tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run_command(tmp_path, [str(COMPARE), *arguments(tmp_path)], *more)


def recorded(tmp_path: Path) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    return list(client.search_runs([client.get_experiment_by_name("comparison").experiment_id]))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Two networks, two seeds, and a pair that diverges."""
    tmp_path = tmp_path_factory.mktemp("compare")
    empty_store(tmp_path)
    write_plant(tmp_path / "plant")
    done = compare(tmp_path, MODELS, "recipes=[default]", f'pairs=["{DON} default settings.lr=1e9"]')
    return tmp_path, done


def test_table_picture_and_csv(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    tmp_path, done = finished
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    with (out / "compare.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"]) for row in rows if row["status"] == "baseline"] == [
        (name, seed) for seed in "12" for name in ("persistence", "linear", "quadratic")
    ]
    trained = [row for row in rows if row["status"] == "done"]
    assert len(trained) == 4
    assert all(row["epochs"] == "2" and float(row["training_seconds"]) > 0 for row in trained)
    diverged = [row for row in rows if row["status"] == "diverged"]
    assert len(diverged) == 2
    assert all("the loss became" in row["reason"] and row["nADE"] == "" for row in diverged)
    text = (out / "compare.md").read_text(encoding="utf-8")
    assert "0/2 | diverged or failed" in text
    # What the terminal shows is the table of the file.
    mean = sum(float(row["nADE"]) for row in trained if row["model"] == DON) / 2
    assert f"{mean:.4f} ± " in text
    assert f"{mean:.4f} ± " in done.stdout
    assert (out / "compare.png").stat().st_size > 10_000
    # Runs that are safe in the store leave nothing here.
    assert list((out / "runs").iterdir()) == []
    assert "training 6 of 6" in done.stdout


def test_runs_hang_below_the_comparison(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    runs = recorded(finished[0])
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    children = [run for run in runs if run is not parent]
    assert len(children) == 6
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    assert sorted(run.info.status for run in children) == ["FAILED"] * 2 + ["FINISHED"] * 4
    assert parent.info.status == "FINISHED"
    names = {path.name for path in Path(parent.info.artifact_uri.removeprefix("file://")).iterdir()}
    # Names of rows hold "=", which the store refuses in metrics.
    assert names == {"compare.md", "compare.csv", "compare.png", "report.html", "report.json.gz", "metric_names.json"}
    own = [run for run in children if run.info.run_name == f"{DON}, default, seed 1"]
    assert len(own) == 1
    assert {"nADE", "nADE_quadratic", "training_seconds", "parameters"} <= set(own[0].data.metrics)


@pytest.mark.slow
def test_repeated_it_trains_only_what_is_new(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    tmp_path, _ = finished
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    again = compare(tmp_path, f'models=["{DON}"]', "recipes=[default]", f'pairs=["{DON} default settings.lr=1e9"]')
    assert again.returncode == 0, again.stderr
    assert "4 trainings, 4 of them done" in again.stdout
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()} == before
    assert len(recorded(tmp_path)) == 7
    more = compare(tmp_path, f'models=["{DON}"]', "recipes=[default]", "seeds=[1,2,3]")
    assert "3 trainings, 2 of them done" in more.stdout
    assert "training 1 of 1" in more.stdout
    runs = recorded(tmp_path)
    assert len(runs) == 8, "the run of the comparison is gone on with"
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs if "mlflow.parentRunId" in run.data.tags}) == 1


@pytest.mark.slow
def test_stopped_it_goes_on_in_the_same_run(tmp_path: Path) -> None:
    write_plant(tmp_path / "plant")
    own = [f'models=["{DON}"]', "recipes=[default]", "seeds=[1]", "settings.epochs=400", "settings.patience=400"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": empty_store(tmp_path), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, COMPARE, *arguments(tmp_path), *own], cwd=tmp_path, env=environment)
    runs = tmp_path / "out" / "runs"
    for _ in range(600):
        if any(runs.glob("*/checkpoints/epoch=3*.ckpt")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    (folder,) = runs.iterdir()
    assert not list((tmp_path / "out" / "results").glob("*"))
    done = compare(tmp_path, *own)
    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "out" / "results").iterdir()
    found = json.loads(kept.read_text())
    assert found["run"] == folder.name
    assert found["epochs"] == 400
    assert len(recorded(tmp_path)) == 2
    assert {run.info.status for run in recorded(tmp_path)} == {"FINISHED"}


@pytest.mark.slow
def test_a_learning_curve_is_fitted_and_goes_on_with_what_a_comparison_has(tmp_path: Path) -> None:
    empty_store(tmp_path)
    write_plant(tmp_path / "plant", 18)
    own = [f'models=["{DON}"]', "recipes=[default]"]
    plain = compare(tmp_path, *own)
    assert plain.returncode == 0, plain.stderr
    assert not (tmp_path / "out" / "learning_curve.png").exists()
    done = compare(tmp_path, *own, "fractions=[0.25,0.5,1]", "goal=0.01")
    assert done.returncode == 0, done.stderr
    assert "6 trainings, 2 of them done" in done.stdout
    with (tmp_path / "out" / "compare.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "done"]
    # 18 cases, 2 to test and 15 % to validate: 13 to train.
    assert [(row["seed"], row["cases"], row["test_cases"]) for row in rows] == [
        (seed, cases, "2") for cases in ("13", "6", "3") for seed in "12"
    ]
    with (tmp_path / "out" / "learning_curve.csv").open(encoding="utf-8") as file:
        counts = [int(row["cases"]) for row in csv.DictReader(file) if row["model"] == DON]
    assert counts == [3, 6, 13, 20, 26, 39, 65]
    assert (tmp_path / "out" / "learning_curve.png").stat().st_size > 10_000
    assert f"{DON} default: " in done.stdout
    assert "### Learning curve" in (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    (parent,) = (run for run in recorded(tmp_path) if "mlflow.parentRunId" not in run.data.tags)
    assert {f"floor/{name}" for name in ("linear", "quadratic")} <= set(parent.data.metrics)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (['models=["don model.widht=3"]'], "don model.widht=3 with default: model.widht: no such key"),
        (["settings=stable"], "settings=stable: give the recipes as recipes="),
        (["dataset.path=nowhere"], "dataset.path=nowhere: No such file or directory"),
        pytest.param(["dataset.test=99"], "dataset.test=99: ", marks=pytest.mark.slow),
        (["paste=nowhere.md"], "paste=nowhere.md: no such file"),
        pytest.param(
            ["fractions=[0.1,0.5,1]"],
            "fractions: 0.5 of 3 training cases is 2, and a learning curve begins at 3",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_refusals_are_one_message(tmp_path: Path, more: list[str], said: str) -> None:
    write_plant(tmp_path / "plant")
    done = compare(tmp_path, "recipes=[default]", *more)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
