"""The tracking store: sending the journals of run folders to it, and getting files out of it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from surrogate_modeling.common.atomic_file import write_whole
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.tracking.database import SQLITE, create_database
from surrogate_modeling.tracking.journal import JOURNAL, LOCK, RESERVE, STATE, grouped, locked, read_state

# Needed to send or to go on, and of no use beside the record.
NOT_ARTIFACTS = {JOURNAL, STATE, LOCK, RESERVE, "checkpoints"}
MLFLOW_MODEL = "model"
METRICS_PER_CALL = 900


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where set, else a database under the project root, wherever the command is run."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{PROJECT_ROOT / 'mlflow.db'}"


def _artifact_root(uri: str) -> str | None:
    """Beside a local database; a server has a place of its own."""
    if not uri.startswith(SQLITE):
        return None
    return (Path(uri.removeprefix(SQLITE)).resolve().parent / "mlruns").as_uri()


class Sender:
    """Sends the journal of one run folder from where it was left; everything it knows is on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._client: Any = None

    @property
    def state(self) -> dict[str, Any]:
        """How far the journal was sent, and the run's id once it has one."""
        return read_state(self.folder)

    def send_pending(self) -> None:
        """Send all whole lines that are not sent yet; raises whatever the store raises, having kept its place."""
        state = self.state
        with (self.folder / JOURNAL).open("rb") as journal:
            journal.seek(state["sent"])
            for operation, entries, end in grouped(journal, state["sent"]):
                state["run_id"] = self._apply(operation, entries, state["run_id"])
                state["sent"] = end
                self._keep(state)

    def _keep(self, state: dict[str, Any]) -> None:
        write_whole(self.folder / STATE, json.dumps(state).encode())

    def _apply(self, operation: str, entries: list[dict[str, Any]], run_id: str | None) -> str:
        from mlflow.entities import Metric, Param, RunTag

        if operation == "start":
            return self._start(entries[-1])
        assert run_id is not None, "the first line of a journal is its start"
        client = self._connect()
        if operation == "metrics":
            metrics = [Metric(k, v, e["time"], e["step"]) for e in entries for k, v in e["values"].items()]
            for i in range(0, len(metrics), METRICS_PER_CALL):
                client.log_batch(run_id, metrics=metrics[i : i + METRICS_PER_CALL])
        elif operation == "params":
            pairs = [Param(key, value) for e in entries for key, value in e["values"].items()]
            for i in range(0, len(pairs), 90):
                client.log_batch(run_id, params=pairs[i : i + 90])
        elif operation == "tags":
            client.log_batch(run_id, tags=[RunTag(key, value) for e in entries for key, value in e["values"].items()])
        elif operation == "artifacts":
            self._send_artifacts(run_id)
        elif operation == "resume":
            client.update_run(run_id, status="RUNNING")
        elif operation == "register":
            self._register(run_id, entries[-1]["name"])
        elif operation == "finish":
            client.set_terminated(run_id, entries[-1]["status"], entries[-1]["time"])
        return run_id

    def _connect(self) -> Any:
        if self._client is None:
            # The journal waits instead: MLflow's own patience is minutes per call.
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            import mlflow

            # A traceback for each failed call; what failed is said once, in a line.
            logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)
            uri = tracking_uri()
            (PROJECT_ROOT / ".cache").mkdir(exist_ok=True)
            # Two processes that create the database at once corrupt each other's migration. A server looks after its
            # own, and one that hangs must not keep the senders of other runs waiting for the lock.
            lock = FileLock(PROJECT_ROOT / ".cache" / "mlflow.lock", timeout=120) if uri.startswith(SQLITE) else None
            with lock or nullcontext():
                create_database(uri, _artifact_root(uri))
                client = mlflow.MlflowClient(uri)
                client.search_experiments(max_results=1)
            self._client = client
        return self._client

    def _start(self, entry: dict[str, Any]) -> str:
        client = self._connect()
        experiment = self._experiment(entry["experiment"])
        key = entry["tags"]["run_key"]
        # A start that reached the store but whose answer was lost must not make a second run.
        known = client.search_runs([experiment], filter_string=f"tags.run_key = '{key}'", max_results=1)
        if known:
            return known[0].info.run_id
        run = client.create_run(experiment, start_time=entry["time"], tags=entry["tags"], run_name=entry["name"])
        return run.info.run_id

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        client = self._connect()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return client.create_experiment(name, _artifact_root(tracking_uri()))
            except MlflowException:
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _send_artifacts(self, run_id: str) -> None:
        client = self._connect()
        for path in sorted(self.folder.iterdir()):
            if path.name in NOT_ARTIFACTS or path.suffix == ".part":
                continue
            if path.is_dir():
                client.log_artifacts(run_id, str(path), path.name)
            else:
                client.log_artifact(run_id, str(path))

    def _register(self, run_id: str, name: str) -> None:
        from mlflow.exceptions import MlflowException

        client = self._connect()
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # A registration whose answer was lost must not make a second version.
        if not client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
            source = f"{client.get_run(run_id).info.artifact_uri}/{MLFLOW_MODEL}"
            client.create_model_version(name, source, run_id, await_creation_for=0)

    def artifact_place(self) -> str:
        """Where the store keeps the run's files: a folder, or an address."""
        return self._connect().get_run(self.state["run_id"]).info.artifact_uri.removeprefix("file://")


def clear_folder(sender: Sender) -> str:
    """Delete a run folder whose files are safely in the store; returns where they are there."""
    place = sender.artifact_place()
    shutil.rmtree(sender.folder, ignore_errors=True)
    parent = sender.folder.parent
    if parent.parent.name == "hydra_experiment" and not any(parent.iterdir()):
        parent.rmdir()
    return place


def metric_name(name: str) -> str:
    """A name the store accepts: letters, digits and ``_-./: ``; anything else becomes an underscore."""
    return "".join(letter if letter.isalnum() or letter in "_-./: " else "_" for letter in name)


def said_by_store(error: Exception) -> str:
    """The first line, cut where it is a page by itself."""
    return first_line(error)[:300]


def send_later(folders: list[Path]) -> int:
    """Send run folders that had to wait; returns the exit code."""
    for folder in folders:
        if not (folder / JOURNAL).exists():
            print(f"{folder}: no {JOURNAL} here; give the folder of a run", file=sys.stderr)
            return 2
        sender = Sender(folder)
        try:
            with locked(folder):
                sender.send_pending()
            finished = '"status": "FINISHED"' in (folder / JOURNAL).read_text(encoding="utf-8").splitlines()[-1]
            place = clear_folder(sender) if finished else sender.artifact_place()
        except Exception as error:
            print(f"{folder}: {tracking_uri()}: {said_by_store(error)}", file=sys.stderr)
            return 1
        print(f"{folder}: sent; artifacts are in {place}")
    return 0


def fetch(reference: str, name: str, folder: Path) -> Path:
    """Copy one file of a run or of a registered model here.

    Args:
        reference: run id, ``runs:/`` or ``models:/`` URI.
        name: of the file, wherever it lies in there.
        folder: to put it in.

    Raises:
        UserError: the store has no such thing, or cannot be reached.
    """
    store = tracking_uri()
    if store.startswith(SQLITE) and not Path(store.removeprefix(SQLITE)).exists():
        raise UserError(f"{reference}: there is no tracking store {store} to look in")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    mlflow.set_tracking_uri(store)
    uri = reference if ":/" in reference else f"runs:/{reference}/{name}"
    try:
        fetched = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except Exception as error:
        raise UserError(f"{reference}: not found in {store} ({said_by_store(error)})") from None
    found = [fetched] if fetched.is_file() else sorted(fetched.rglob(name))
    if not found:
        raise UserError(f"{reference}: holds no {name}; it is saved by settings.is_save_model=True")
    return found[0]
