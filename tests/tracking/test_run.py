"""The record of a run against a real MLflow store, and what happens when the store is away."""

import json
from pathlib import Path

import mlflow
import pytest
import torch
from builders import composed, empty_store, write_cases

from surrogate_modeling.config.composition import to_config
from surrogate_modeling.experiment.dataset import load_cases
from surrogate_modeling.experiment.run import run_experiment
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.tracking import run as recorder
from surrogate_modeling.tracking.entries import read_batches
from surrogate_modeling.tracking.journal import JOURNAL, STATE
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import Sender, send_later
from surrogate_modeling.tracking.store import tracking_uri
from surrogate_modeling.training.job import OutOfMemory
from surrogate_modeling.training.module import SurrogateTraining


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    empty_store(folder)
    return folder / "mlflow.db"


@pytest.fixture
def store(database: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    return mlflow.MlflowClient(f"sqlite:///{database}")


def start(folder: Path, **params: str) -> Run:
    folder.mkdir(parents=True)
    (folder / "csv").mkdir()
    (folder / "csv" / "a.csv").write_text("time\n")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text("a: 1\n")
    (folder / "train.log").write_text("line\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.ckpt").write_text("weights")
    return Run.start(folder, "試験", "a run", {"git_commit": "abc"}, params)


def test_everything_reaches_the_store_and_the_folder_is_cleared(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    folder = tmp_path / "hydra_experiment" / "day" / "run-1"
    run = start(folder, **{f"group.key{i}": str(i) for i in range(150)})
    for epoch in range(3):
        run.log_metrics({"train_loss": 1.0 / (epoch + 1), "ADE_mean/T [°C]": epoch}, epoch)
    run.set_tags({"error": "none"})
    place = run.finish("FINISHED")
    assert place is not None
    assert not folder.exists()
    recorded = store.search_runs([store.get_experiment_by_name("試験").experiment_id], "tags.run_key LIKE 'run-1 %'")[0]
    assert recorded.info.status == "FINISHED"
    assert recorded.data.params["group.key149"] == "149"
    assert recorded.data.tags["error"] == "none"
    assert [m.value for m in store.get_metric_history(recorded.info.run_id, "train_loss")] == [1.0, 0.5, 1 / 3]
    assert recorded.data.metrics["ADE_mean/T __C_"] == 2.0
    files = sorted(str(path.relative_to(place)) for path in Path(place).rglob("*") if path.is_file())
    assert files == [".hydra/config.yaml", "csv/a.csv", "metric_names.json", "train.log"]


def test_a_dead_server_loses_nothing_and_is_sent_to_later(
    store: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alive = tracking_uri()
    # Port 9 of this machine refuses connections.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(recorder, "SECONDS_TO_FINISH", 1.0)
    folder = tmp_path / "run-2"
    run = start(folder, a="1")
    run.log_metrics({"val_loss": 0.25}, 4)
    assert run.finish("FAILED") is None
    assert (folder / "csv" / "a.csv").exists()
    assert send_later([folder]) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
    assert send_later([folder]) == 0
    assert "sent; artifacts are in" in capsys.readouterr().out
    recorded = store.search_runs([store.get_experiment_by_name("試験").experiment_id], "tags.run_key LIKE 'run-2 %'")
    assert [r.info.status for r in recorded] == ["FAILED"]
    assert recorded[0].data.metrics["val_loss"] == 0.25


def test_a_start_whose_answer_was_lost_makes_no_second_run(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    folder = tmp_path / "run-3"
    run = start(folder)
    run.log_metrics({"a": 1.0})
    run._ended.set()
    run._wake.set()
    run._thread.join()
    (folder / STATE).unlink()
    Sender(folder).send_pending()
    experiment = store.get_experiment_by_name("試験").experiment_id
    assert len(store.search_runs([experiment], "tags.run_key LIKE 'run-3 %'")) == 1


def test_a_half_written_line_waits(tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL
    entries = [
        {"op": "metrics", "time": 0, "values": {"a": 1.0}, "step": 0},
        {"op": "metrics", "time": 1, "values": {"a": 2.0}, "step": 1},
        {"op": "tags", "time": 2, "values": {"b": "c"}},
    ]
    lines = [json.dumps(entry) + "\n" for entry in entries]
    journal.write_text("".join(lines) + '{"op": "fin')
    with journal.open("rb") as file:
        batches = list(read_batches(file, 0))
    assert [(batch.operation, batch.entries) for batch in batches] == [("metrics", entries[:2]), ("tags", entries[2:])]
    assert batches[0].end == len(lines[0]) + len(lines[1])
    assert batches[1].end == sum(map(len, lines))


def test_sending_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert send_later([tmp_path]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_folders_of_one_name_hold_different_runs(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    recorded = set()
    for day in ("a", "b"):
        place = start(tmp_path / day / "run-9", day=day).finish("FINISHED")
        assert place
        recorded.add(place)
    assert len(recorded) == 2


def test_a_run_of_a_known_key_is_gone_on_with(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    """As by a search or a comparison that is continued, each command in a folder of its own."""
    places = set()
    for command in ("first", "second"):
        folder = tmp_path / command / "search-1"
        folder.mkdir(parents=True)
        run = Run.start(folder, "試験", "search", {"command": command}, {}, "search-1")
        places.add(run.finish("FINISHED"))
    assert len(places) == 1
    assert None not in places


def test_memory_running_out_ends_the_run_failed_with_the_place(
    store: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = SurrogateTraining.training_step

    def second_batch(self: SurrogateTraining, batch: Batch, batch_index: int) -> torch.Tensor:
        if batch_index == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return step(self, batch, batch_index)

    monkeypatch.setattr(SurrogateTraining, "training_step", second_batch)
    write_cases(tmp_path / "cases")
    options = ["model=don", "model.width=4", "settings.batch_size=16", "settings.mlflow_exp_name=memory"]
    tree = composed("dataset=csv", f"dataset.path={tmp_path / 'cases'}", "dataset.controls=2", *options)
    config, folder = to_config(tree), tmp_path / "run-memory"
    folder.mkdir()
    with pytest.raises(OutOfMemory, match="out of memory in epoch 0, batch 1"):
        run_experiment(config, load_cases(config), folder)
    (recorded,) = store.search_runs([store.get_experiment_by_name("memory").experiment_id])
    assert recorded.info.status == "FAILED"
    assert recorded.data.tags["error"].startswith("OutOfMemory: out of memory in epoch 0, batch 1 (CUDA out of memory")
    assert "try a smaller settings.batch_size" in recorded.data.tags["error"]
