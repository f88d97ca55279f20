"""Whole runs that are really broken: processes killed at random moments, disks filled, memory refused."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import mlflow
import pytest
import torch
from test_train import SMALL, TRAIN, recorded_run, write_plant

KILLS, EPOCHS = 20, 800
# Every fourth kill may come while a process is still starting [s]; the others, once the run is under way [s].
LONGEST_START, LONGEST_RUN = 8.0, 1.0


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "OMP_NUM_THREADS": "1"}
    with (folder / "errors.txt").open("w") as errors:
        return subprocess.Popen([sys.executable, str(TRAIN), *arguments], cwd=folder, env=environment, stderr=errors)


def kill_at_random(process: subprocess.Popen[str], journal: Path, chance: random.Random, number: int) -> int:
    """Kill outright; returns the exit code."""
    if number % 4 == 3:
        time.sleep(chance.uniform(0, LONGEST_START))
    else:
        size, deadline = journal.stat().st_size if journal.exists() else 0, time.monotonic() + 120
        while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size > size):
            assert process.poll() is None, "the run ended by itself"
            time.sleep(0.02)
        time.sleep(chance.uniform(0, LONGEST_RUN))
    process.send_signal(signal.SIGKILL)
    return process.wait()


def course(folder: Path, run_id: str, metric: str) -> dict[int, float]:
    """A metric by epoch; a value sent twice, before a kill and after it, must be the same one."""
    history = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").get_metric_history(run_id, metric)
    values: dict[int, float] = {}
    for entry in history:
        assert values.setdefault(entry.step, entry.value) == entry.value
    return values


@pytest.mark.slow
def test_a_run_killed_20_times_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    plant, chance = write_plant(tmp_path / "plant"), random.Random(20)
    arguments = ["dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL, f"settings.epochs={EPOCHS}"]
    arguments += [f"settings.patience={EPOCHS}", "settings.mlflow_exp_name=killed", "settings.is_save_model=True"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    uninterrupted = begin(whole, f"hydra.run.dir={whole}/run", *arguments)
    process = begin(killed, f"hydra.run.dir={killed}/run", *arguments)
    for number in range(KILLS):
        assert kill_at_random(process, killed / "run" / "tracking.jsonl", chance, number) == -signal.SIGKILL
        process = begin(killed, f"hydra.run.dir={killed}/new", f"resume={killed}/run")
    assert process.wait(300) == 0, (killed / "errors.txt").read_text()
    assert uninterrupted.wait(300) == 0
    assert_equal_runs(killed, whole, ("train_loss", "val_loss"), EPOCHS)


@pytest.mark.slow
def test_an_ensemble_killed_in_its_second_member_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    plant, epochs = write_plant(tmp_path / "plant"), 60
    arguments = ["dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL, f"settings.epochs={epochs}"]
    arguments += [f"settings.patience={epochs}", "settings.mlflow_exp_name=killed", "settings.is_save_model=True"]
    arguments += ["settings.ensemble=2"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    uninterrupted = begin(whole, f"hydra.run.dir={whole}/run", *arguments)
    process, journal = begin(killed, f"hydra.run.dir={killed}/run", *arguments), killed / "run" / "tracking.jsonl"
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("member1/val_loss") > 5):
        assert process.poll() is None, "the run ended by itself"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    stopped = journal.read_text().count("member1/val_loss")
    process = begin(killed, f"hydra.run.dir={killed}/new", f"resume={killed}/run")
    assert process.wait(900) == 0, (killed / "errors.txt").read_text()
    assert uninterrupted.wait(900) == 0
    assert 0 < stopped < epochs
    metrics = [f"{prefix}{name}" for prefix in ("", "member1/") for name in ("train_loss", "val_loss")]
    assert_equal_runs(killed, whole, metrics, epochs)


def assert_equal_runs(killed: Path, whole: Path, metrics: Sequence[str], epochs: int) -> None:
    """The same course of every metric, and the same weights, bit for bit."""
    (run, artifacts), (other, others) = recorded_run(killed, "killed"), recorded_run(whole, "killed")
    assert run.info.status == other.info.status == "FINISHED"
    for metric in metrics:
        expected = course(whole, other.info.run_id, metric)
        assert len(expected) == epochs
        assert course(killed, run.info.run_id, metric) == expected
    resumed, weights = (
        torch.load(place / "lit_model.pth", weights_only=True)["weights"] for place in (artifacts, others)
    )
    assert resumed.keys() == weights.keys()
    assert all(torch.equal(value, weights[key]) for key, value in resumed.items())
