"""Whole runs that are really broken: processes killed at random moments, free runs that diverge."""

import csv
import math
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from builders import NAMES, TRAIN, UNITS, command_environment, empty_store, lag, write_plant, write_table
from forked import Forked
from test_train import SMALL, recorded_run, run_train

# Every fourth kill may come while a process is still starting [s]; the others, once the run is under way [s].
LONGEST_START, LONGEST_RUN = 8.0, 1.0


def begin(folder: Path, *arguments: str, is_forked: bool = False) -> "subprocess.Popen[str] | Forked":
    command, environment, errors = [str(TRAIN), *arguments], command_environment(folder), folder / "errors.txt"
    if is_forked:
        return Forked(command, folder, environment, [folder / "output.txt", errors])
    with errors.open("w") as file:
        return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stderr=file)


def kill_at_random(
    process: subprocess.Popen[str] | Forked, journal: Path, chance: random.Random, number: int
) -> int | None:
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


def prepare(tmp_path: Path, epochs: int, *more: str) -> tuple[Path, Path, list[str]]:
    """Folders for a run that is left alone and for one that is killed, and the arguments of both."""
    plant = write_plant(tmp_path / "plant")
    for folder in (whole := tmp_path / "whole", killed := tmp_path / "killed"):
        empty_store(folder)
    arguments = ["dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL, f"settings.epochs={epochs}"]
    arguments += [f"settings.patience={epochs}", "settings.mlflow_exp_name=killed", "settings.is_save_model=True"]
    return whole, killed, [*arguments, *more]


@pytest.mark.parametrize(("kills", "epochs"), [(1, 30), pytest.param(20, 800, marks=pytest.mark.slow)])
def test_a_killed_run_equals_the_uninterrupted_one(tmp_path: Path, kills: int, epochs: int) -> None:
    chance = random.Random(20)
    whole, killed, arguments = prepare(tmp_path, epochs, "settings.num_figures=0")
    # Many kills come while a process starts, too, for which it must be a real one.
    is_forked = kills == 1
    uninterrupted = begin(whole, f"hydra.run.dir={whole}/run", *arguments, is_forked=is_forked)
    process = begin(killed, f"hydra.run.dir={killed}/run", *arguments, is_forked=is_forked)
    for number in range(kills):
        assert kill_at_random(process, killed / "run" / "tracking.jsonl", chance, number) == -signal.SIGKILL
        process = begin(killed, f"hydra.run.dir={killed}/new", f"resume={killed}/run", is_forked=is_forked)
    assert process.wait(300) == 0, (killed / "errors.txt").read_text()
    assert uninterrupted.wait(300) == 0
    assert_equal_runs(killed, whole, ("train_loss", "val_loss"), epochs)


@pytest.mark.slow
def test_an_ensemble_killed_in_its_second_member_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    epochs = 60
    whole, killed, arguments = prepare(tmp_path, epochs, "settings.ensemble=2")
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


@pytest.mark.slow
def test_a_diverged_free_run_is_scored_as_such(tmp_path: Path) -> None:
    """One epoch at 300 times the usual rate: a piecewise linear network that makes what it is fed with larger."""
    for i in range(6):
        control = np.repeat(np.random.default_rng(i).uniform(0, 1, 300), 10)[: 60 if i < 4 else 3000]
        state = lag(control, 9.5)
        values = np.column_stack((control, 20 + 5 * state, 1 + state**2))
        write_table(tmp_path / "plant" / f"case{i}.csv", np.arange(len(control)), values, NAMES[1:], UNITS[1:])
    done = run_train(
        tmp_path, "dataset=csv", f"dataset.path={tmp_path / 'plant'}", "dataset.controls=1", "dataset.test=2",
        "dataset.validation=1", "dataset.split=last", "model=don", "settings.epochs=1", "settings.lr=0.3",
        "settings.batch_size=64", "settings.num_figures=1",
        "settings.mlflow_exp_name=diverged",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = "the free run diverged in 2 of 2 test cases: case4, case5"
    assert done.stdout.count(said) == 2, "where it happens, and among the warnings at the end"
    run, artifacts = recorded_run(tmp_path, "diverged")
    assert run.info.status == "FINISHED"
    metrics = run.data.metrics
    assert metrics["diverged_cases"] == 2
    # The store writes infinity as the largest number it has.
    assert metrics["nADE"] > 1e300
    assert metrics["T/ADE_max"] > 1e300
    assert not [name for name, value in metrics.items() if math.isnan(value)]
    assert metrics["nADE_persistence"] < 100
    with (artifacts / "errors.csv").open(encoding="utf-8") as file:
        assert {row["case"]: row["nADE"] for row in csv.DictReader(file)} == {"case4": "inf", "case5": "inf"}
    assert said in (artifacts / "train.log").read_text()
    assert len(list((artifacts / "csv").iterdir())) == 2
