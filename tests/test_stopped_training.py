"""A training that is told to end: killed, or tested and saved with what there is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from builders import TRAIN, empty_store, write_plant
from test_train import SMALL, recorded_run, run_train


def stop_while_training(tmp_path: Path, signals: Sequence[signal.Signals], *arguments: str) -> tuple[int, str]:
    """Start a run, send signals once the first epochs are recorded; exit code and what was said."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": empty_store(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TRAIN), f"hydra.run.dir={tmp_path}/run", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        journal = tmp_path / "run" / "tracking.jsonl"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (journal.exists() and '"metrics"' in journal.read_text()):
            time.sleep(0.05)
        for number in signals:
            process.send_signal(number)
            time.sleep(1.1)  # Within a second it would be the same press.
        _, errors = process.communicate(timeout=240)
    return process.returncode, errors


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]])
@pytest.mark.slow
def test_an_interrupted_run_ends_killed_with_its_files(tmp_path: Path, signals: list[signal.Signals]) -> None:
    plant = write_plant(tmp_path / "plant")
    arguments = [f"dataset.path={plant}", "dataset=csv", "dataset.controls=1", *SMALL, "settings.epochs=100000"]
    code, errors = stop_while_training(
        tmp_path, signals, *arguments, "settings.patience=100000", "settings.mlflow_exp_name=killed"
    )
    assert code == 130
    assert "Traceback" not in errors
    run, artifacts = recorded_run(tmp_path, "killed")
    assert run.info.status == "KILLED"
    assert (artifacts / "train.log").exists()
    assert f"resume={tmp_path}/run" in (artifacts.parent.parent.parent / "run" / "train.log").read_text()


@pytest.mark.slow
def test_after_one_interrupt_what_there_is_is_tested_reported_and_saved(tmp_path: Path) -> None:
    plant = write_plant(tmp_path / "plant")
    code, errors = stop_while_training(
        tmp_path, [signal.SIGINT], f"dataset.path={plant}", "dataset=csv", "dataset.controls=1", *SMALL,
        "settings.epochs=100000", "settings.patience=100000", "settings.mlflow_exp_name=kept",
        "settings.is_save_model=True",
    )  # fmt: skip
    assert code == 0, errors
    assert "Ctrl-C again interrupts at once" in errors
    run, artifacts = recorded_run(tmp_path, "kept")
    assert run.info.status == "FINISHED"
    assert run.data.tags["ended_early"] == "Ctrl-C"
    assert "nADE" in run.data.metrics
    assert (artifacts / "lit_model.pth").exists()
    assert not (artifacts / "stop").exists()
    said = (artifacts / "train.log").read_text()
    assert "Ctrl-C once, or pdm run finish run=" in said
    assert "training ended early, as Ctrl-C asked" in said


@pytest.mark.slow
def test_a_portfolio_in_processes_keeps_what_is_there(tmp_path: Path) -> None:
    """The file is there from the beginning of the networks: one epoch of the two that are begun."""
    plant, run = write_plant(tmp_path / "plant", count=8), tmp_path / "run"
    run.mkdir()
    (run / "stop").touch()
    done = run_train(
        tmp_path, f"dataset.path={plant}", "dataset=csv", "dataset.controls=1", "model=don", "model.width=4",
        "model.trunk_dim=16", "settings.epochs=100000", "settings.patience=100000", "dataset.validation=0",
        "settings.workers=2", "settings.mlflow_exp_name=folds",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "training ended early, as the file stop asked" in done.stdout
    recorded, _ = recorded_run(tmp_path, "folds")
    assert recorded.info.status == "FINISHED"
    assert recorded.data.tags["ended_early"] == "the file stop"
    assert 1 <= done.stdout.count("after 1 epoch") <= 2
