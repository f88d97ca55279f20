"""Send the journals of run folders to the tracking store."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.database import artifact_root
from surrogate_modeling.tracking.entries import DAMAGED, RUN_KEY, EntryBatch, read_batches
from surrogate_modeling.tracking.journal import (
    JOURNAL,
    LOCK,
    REFUSED,
    RESERVE,
    STATE,
    SendState,
    ended_as,
    locked,
    read_state,
    recorded_tags,
    set_aside,
)
from surrogate_modeling.tracking.store import check_store, connect, import_mlflow, reason_of, shown_uri, tracking_uri
from surrogate_modeling.tracking.store_errors import ErrorKind, error_kind

log = logging.getLogger(__name__)
# Needed to send or to go on, and of no use beside the record.
NOT_ARTIFACTS = {JOURNAL, STATE, LOCK, RESERVE, "checkpoints"}
MLFLOW_MODEL = "model"
# MLflow's limits of one call are 1000 metrics, 100 others, and 1 MB.
METRICS_PER_CALL, OTHERS_PER_CALL, BYTES_PER_CALL = 900, 90, 700_000
BYTES_BESIDE_TEXT = 100


class Sender:
    """Send the journal of one run folder from where it was left; all its state is on disk.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._client: Any = None
        self._began_anew = False
        self._reasons: set[str] = set()

    @property
    def state(self) -> SendState:
        """Offset up to which the journal was sent, and the run's id once it has one."""
        return read_state(self.folder)

    def send_pending(self) -> None:
        """Send all complete unsent lines; lines that the store refuses are set aside.

        Raises:
            UserError: the journal does not begin like one, or no such store can be.
            Exception: whatever MLflow raises where the store does not answer; the place is kept.
        """
        try:
            self._send_from(self.state)
        except Exception as error:
            if error_kind(error) is not ErrorKind.unknown or self._began_anew or self.state["run_id"] is None:
                raise
            log.warning("tracking store %s: does not have this run; it is recorded anew there", shown_uri())
            self._began_anew = True
            self._keep(SendState(sent=0, run_id=None))
            self._send_from(self.state)

    def _send_from(self, state: SendState) -> None:
        if state["run_id"] is None:
            recorded_tags(self.folder)
        with (self.folder / JOURNAL).open("rb") as journal:
            journal.seek(state["sent"])
            for batch in read_batches(journal, state["sent"]):
                state = SendState(sent=batch.end, run_id=self._apply(batch, state["run_id"]))
                self._keep(state)

    def _keep(self, state: SendState) -> None:
        write_atomic(self.folder / STATE, json.dumps(state).encode())

    def _apply(self, batch: EntryBatch, run_id: str | None) -> str:
        import_mlflow()
        from mlflow.entities import Metric, Param, RunTag

        last = batch.entries[-1]
        if batch.operation == "start":
            return self._start(last)
        assert run_id is not None, "recorded_tags has seen the start"
        pairs = [(e, key, value) for e in batch.entries for key, value in e.get("values", {}).items()]
        match batch.operation:
            case "metrics":
                metrics = [Metric(key, value, e["time"], e["step"]) for e, key, value in pairs]
                self._log(run_id, "metrics", metrics, METRICS_PER_CALL)
            case "params":
                self._log(run_id, "params", [Param(key, value) for _, key, value in pairs], OTHERS_PER_CALL)
            case "tags":
                self._log(run_id, "tags", [RunTag(key, value) for _, key, value in pairs], OTHERS_PER_CALL)
            case "artifacts":
                self._send_artifacts(run_id)
            case "resume":
                self._ask(lambda: self._connect().update_run(run_id, status="RUNNING"), last)
            case "register":
                self._ask(lambda: self._register(run_id, last["name"]), last)
            case "finish":
                self._ask(lambda: self._connect().set_terminated(run_id, last["status"], last["time"]), last)
            case _:
                for entry in batch.entries:
                    self._set_aside({"op": DAMAGED, "byte": entry["byte"]}, entry["reason"])
        return run_id

    def _ask(self, request: Callable[[], object], entry: dict[str, Any]) -> None:
        """Send a request to the store; a refused entry is set aside."""
        try:
            request()
        except Exception as error:
            if error_kind(error) is not ErrorKind.refused:
                raise
            self._set_aside(entry, reason_of(error))

    def _set_aside(self, entry: dict[str, Any], reason: str) -> None:
        set_aside(self.folder, entry, reason)
        # One name that is refused in each of a thousand epochs is one message.
        if reason not in self._reasons:
            self._reasons.add(reason)
            what = entry.get("key") or entry.get("file") or entry.get("name") or f"byte {entry.get('byte')}"
            log.warning(
                "not recorded: %s %s: %s; it is kept in %s, the rest goes on",
                entry["op"], what, reason, self.folder / REFUSED,
            )  # fmt: skip

    def _log(self, run_id: str, kind: str, items: list[Any], max_items: int) -> None:
        for part in _parts(items, max_items):
            self._log_part(run_id, kind, part)

    def _log_part(self, run_id: str, kind: str, items: Sequence[Any]) -> None:
        """Halve a refused part until the item at fault is found."""
        try:
            self._connect().log_batch(run_id, **{kind: items})
        except Exception as error:
            if error_kind(error) is not ErrorKind.refused:
                raise
            if len(items) == 1:
                self._set_aside({"op": kind, "key": items[0].key, "value": items[0].value}, reason_of(error))
                return
            middle = len(items) // 2
            self._log_part(run_id, kind, items[:middle])
            self._log_part(run_id, kind, items[middle:])

    def _connect(self) -> Any:
        if self._client is None:
            self._client = connect()
        return self._client

    def _start(self, entry: dict[str, Any]) -> str:
        client = self._connect()
        experiment = self._experiment(entry["experiment"])
        # In the store's filter a text has no way to hold a quote.
        key = entry["tags"][RUN_KEY].replace("'", "_").replace('"', "_")
        # A start that reached the store but whose answer was lost must not make a second run.
        known = client.search_runs([experiment], filter_string=f"tags.{RUN_KEY} = '{key}'", max_results=1)
        if known:
            return known[0].info.run_id
        tags = {**entry["tags"], RUN_KEY: key}
        run = client.create_run(experiment, start_time=entry["time"], tags=tags, run_name=entry["name"])
        return run.info.run_id

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        client = self._connect()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return client.create_experiment(name, artifact_root(tracking_uri()))
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
            if path.is_file():
                self._send_file(run_id, path)
                continue
            try:
                client.log_artifacts(run_id, str(path), path.name)
            except Exception as error:
                if error_kind(error) is not ErrorKind.refused:
                    raise
                for file in sorted(inner for inner in path.rglob("*") if inner.is_file()):
                    self._send_file(run_id, file)

    def _send_file(self, run_id: str, file: Path) -> None:
        place = file.parent.relative_to(self.folder).as_posix()
        name = file.relative_to(self.folder).as_posix()
        self._ask(
            lambda: self._connect().log_artifact(run_id, str(file), None if place == "." else place),
            {"op": "artifacts", "file": name},
        )

    def _register(self, run_id: str, name: str) -> None:
        from mlflow.exceptions import MlflowException

        client = self._connect()
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # A registration whose answer was lost must not make a second version. The name may hold a quote.
        if all(version.name != name for version in client.search_model_versions(f"run_id = '{run_id}'")):
            source = f"{client.get_run(run_id).info.artifact_uri}/{MLFLOW_MODEL}"
            client.create_model_version(name, source, run_id, await_creation_for=0)

    def artifact_place(self) -> str:
        """Where the store keeps the run's files: a folder, or an address."""
        return self._connect().get_run(self.state["run_id"]).info.artifact_uri.removeprefix("file://")


def _parts(items: list[Any], max_items: int) -> Iterator[list[Any]]:
    """Split metrics, parameters or tags into calls limited in number and bytes."""
    part: list[Any] = []
    size = 0
    for item in items:
        needed = len(json.dumps([item.key, str(item.value)])) + BYTES_BESIDE_TEXT
        if part and (len(part) == max_items or size + needed > BYTES_PER_CALL):
            yield part
            part, size = [], 0
        part.append(item)
        size += needed
    if part:
        yield part


def clear_folder(sender: Sender) -> str:
    """Delete a run folder whose files are safely in the store; returns their place in the store.

    A folder with something that the store refused stays.
    """
    place = sender.artifact_place()
    if (sender.folder / REFUSED).exists():
        return place
    shutil.rmtree(sender.folder, ignore_errors=True)
    parent = sender.folder.parent
    if parent.parent.name == "hydra_experiment" and not any(parent.iterdir()):
        parent.rmdir()
    return place


def send_later(folders: list[Path]) -> int:
    """Send run folders that had to wait; exit code 0 sent, 1 store unavailable, 2 an error to be corrected first."""
    for folder in folders:
        if not (folder / JOURNAL).exists():
            print(f"{folder}: no {JOURNAL} here; give the folder of a run", file=sys.stderr)
            return 2
        sender = Sender(folder)
        try:
            check_store()
            with locked(folder):
                sender.send_pending()
                status = ended_as(folder)
            place = clear_folder(sender) if status == "FINISHED" else sender.artifact_place()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except Exception as error:
            print(f"{folder}: {shown_uri()}: {reason_of(error)}", file=sys.stderr)
            return 1
        print(f"{folder}: sent; artifacts are in {place}")
        if (folder / REFUSED).exists():
            print(f"{folder}: what the store refused, and why, is in {folder / REFUSED}", file=sys.stderr)
    return 0
