"""Whole runs on a disk that is really full: what is said, what is intact, and that they go on to the same end."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch
from builders import TRAIN, command_environment, disk, fill, write_plant
from test_train import SMALL, recorded_run

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.experiment.recording import recorded
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import send_later
from surrogate_modeling.training.checkpoints import latest_checkpoint

pytestmark = pytest.mark.slow
EPOCHS = 60
# The same command, with less patience at the end: the store's disk stays full until it gave up.
IMPATIENT = (
    "from surrogate_modeling import train; from surrogate_modeling.tracking import run; "
    "run.SECONDS_TO_FINISH = 5.0; train.cli()"
)


def command(plant: Path, folder: Path, *arguments: str) -> list[str]:
    return [
        f"hydra.run.dir={folder}", "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL,
        f"settings.epochs={EPOCHS}", f"settings.patience={EPOCHS}", "settings.is_save_model=True",
        "settings.mlflow_exp_name=full", *arguments,
    ]  # fmt: skip


def begin(store: Path, program: list[str], *arguments: str) -> subprocess.Popen[str]:
    environment = command_environment(store)
    return subprocess.Popen(
        [sys.executable, *program, *arguments], cwd=store, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not there():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """The cases, and the weights of the uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    plant = write_plant(folder / "plant")
    process = begin(folder, [str(TRAIN)], *command(plant, folder / "run"))
    assert process.wait(600) == 0
    return plant, torch.load(recorded_run(folder, "full")[1] / "lit_model.pth", weights_only=True)["weights"]


def in_training(run: Path) -> bool:
    return len(list((run / "checkpoints").glob("epoch=*.ckpt"))) > 1


def in_the_report(run: Path) -> bool:
    return (run / "csv").exists()


@pytest.mark.parametrize("when", [in_training, in_the_report])
def test_a_run_on_a_full_disk_goes_on_to_the_same_end(
    tmp_path: Path, whole: tuple[Path, dict[str, torch.Tensor]], when: Callable[[Path], bool]
) -> None:
    plant, weights = whole
    with disk(tmp_path, "8m") as folder:
        run = folder / "run"
        process = begin(tmp_path, [str(TRAIN)], *command(plant, run))
        wait_for(process, lambda: when(run))
        ballast = fill(folder)
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 2
        assert "Traceback" not in out + errors
        said = next(line for line in errors.splitlines() if line.startswith("error: "))
        assert re.search(
            rf"error: {folder}/run/.*: No space left on device; [\d,]+ bytes are needed, [\d,]+ are free", said
        )
        assert f"go on with: pdm run train resume={run}" in out
        failed, _ = recorded_run(tmp_path, "full")
        assert failed.info.status == "FAILED"
        assert "No space left on device" in failed.data.tags["error"]
        assert latest_checkpoint(run / "checkpoints") is not None
        assert not [path for path in folder.rglob("*.part") if path.is_file()]
        ballast.unlink()
        process = begin(tmp_path, [str(TRAIN)], f"hydra.run.dir={tmp_path}/new", f"resume={run}")
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert not run.exists()
    record, artifacts = recorded_run(tmp_path, "full")
    assert record.info.status == "FINISHED"
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert {m.step for m in client.get_metric_history(record.info.run_id, "val_loss")} == set(range(EPOCHS))
    resumed = torch.load(artifacts / "lit_model.pth", weights_only=True)["weights"]
    assert all(torch.equal(value, weights[key]) for key, value in resumed.items())
    assert len(list((artifacts / "figure").rglob("*.png"))) == 4


def test_a_journal_that_is_full_ends_the_run_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the journal grows here, so that it is what meets the end of the disk."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    logged = 0
    with disk(tmp_path, "1m") as folder:
        (folder / "run").mkdir()
        run = Run.start(folder / "run", "full", "a run", {}, {})
        fill(folder, leave=40_000)
        refused = pytest.raises(UserError, match=r"run/tracking.jsonl: No space left on device")
        with refused, recorded(run):
            while True:
                run.log_metrics({"a": float(logged)}, logged)
                logged += 1
        record, _ = recorded_run(tmp_path, "full")
        assert record.info.status == "FAILED"
        assert "tracking.jsonl: No space left on device" in record.data.tags["error"]
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
        assert len(client.get_metric_history(record.info.run_id, "a")) == logged > 100


def test_a_full_disk_of_the_store_makes_the_record_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    run = tmp_path / "run"
    with disk(tmp_path, "16m") as store:
        uri = f"sqlite:///{store / 'mlflow.db'}"
        mlflow.MlflowClient(uri).create_experiment("full", (store / "mlruns").as_uri())
        ballast = fill(store)
        process = begin(store, ["-c", IMPATIENT], *command(whole[0], run))
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert "Traceback" not in out + errors
        assert f"Send it with: pdm run send {run}" in out
        assert "full" in out
        ballast.unlink()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert send_later([run]) == 0
        record, artifacts = recorded_run(store, "full")
        assert record.info.status == "FINISHED"
        client = mlflow.MlflowClient(uri)
        assert {m.step for m in client.get_metric_history(record.info.run_id, "val_loss")} == set(range(EPOCHS))
        assert len(list((artifacts / "figure").rglob("*.png"))) == 4


def test_a_disk_that_is_full_from_the_start_is_said_in_one_line(
    tmp_path: Path, whole: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    with disk(tmp_path, "64k") as folder:
        fill(folder)
        process = begin(tmp_path, [str(TRAIN)], *command(whole[0], folder / "run"))
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 2
        assert "Traceback" not in errors
        assert "No space left on device" in errors
        assert len(errors.strip().splitlines()) == 1
