"""Record a run in MLflow.

Everything is first appended to a journal in the run's folder; a thread sends the journal to the tracking store
(:mod:`surrogate_modeling.tracking.sender`). So training never waits for a server, and unsent entries wait on disk:
``pdm run send <run folder>`` sends them later.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from surrogate_modeling.common.atomic_file import NotWritten
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.passwords import without_passwords
from surrogate_modeling.tracking.entries import RUN_KEY
from surrogate_modeling.tracking.journal import (
    JOURNAL,
    append,
    drop_half_line,
    is_sent,
    keep_reserve,
    locked,
    release_reserve,
)
from surrogate_modeling.tracking.names import SafeNames, storable
from surrogate_modeling.tracking.sender import Sender, clear_folder
from surrogate_modeling.tracking.store import check_store, reason_of, shown_uri
from surrogate_modeling.tracking.store_errors import ErrorKind, error_kind

log = logging.getLogger(__name__)
# Characters that MLflow's databases hold.
MAX_PARAMETER_LETTERS, MAX_TAG_LETTERS, MAX_RUN_NAME_LETTERS = 6000, 8000, 250
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 30.0
# MLflow takes more than a second to import, which would come out of the first epoch.
SECONDS_BEFORE_SENDING = 5.0
SECONDS_TO_FINISH, SECONDS_OF_ONE_CALL = 120.0, 30.0


class Run:
    """One run being recorded; :meth:`start` begins one, :meth:`resume` continues one.

    Args:
        folder: of the run; its files are the artifacts.

    Raises:
        UserError: another process is at work on this run, or no record can ever be made in the store that is set.
    """

    def __init__(self, folder: Path) -> None:
        check_store()
        self.folder = folder
        self._names = SafeNames(folder)
        self.sender = Sender(folder)
        self._registered_name: str | None = None
        self._lock = locked(folder)
        self._wake, self._ended, self._given_up = threading.Event(), threading.Event(), threading.Event()
        self._measured = threading.Event()
        self._thread = threading.Thread(target=self._send, name="tracking", daemon=True)

    @classmethod
    def start(
        cls,
        folder: Path,
        experiment: str,
        name: str,
        tags: dict[str, str],
        params: dict[str, str],
        key: str | None = None,
    ) -> Run:
        """Begin a run.

        Args:
            folder: of the run.
            experiment: name in the store.
            name: of the run.
            tags: fixed at the start.
            params: the flat configuration.
            key: of a run that may be in the store already, which is then gone on with; None for a run of its own.
        """
        run = cls(folder)
        own = key or f"{folder.name} {uuid.uuid4().hex[:12]}"
        keep_reserve(folder)
        texts = {key: storable(value, MAX_TAG_LETTERS) for key, value in {**tags, RUN_KEY: own}.items()}
        run._write("start", experiment=storable(experiment), name=storable(name, MAX_RUN_NAME_LETTERS), tags=texts)
        recorded = run._names.of(params)
        run._write("params", values={recorded[key]: _cut(key, value) for key, value in params.items()})
        run._thread.start()
        return run

    @classmethod
    def resume(cls, folder: Path) -> Run:
        """Continue a run that was stopped; it is RUNNING again in the store."""
        run = cls(folder)
        drop_half_line(folder / JOURNAL)
        keep_reserve(folder)
        run._write("resume")
        run._thread.start()
        return run

    def log_metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Record numbers of one step under valid names; changed names are listed in a file of the run."""
        recorded = self._names.of(values)
        self._write("metrics", values={recorded[key]: float(value) for key, value in values.items()}, step=step)
        self._measured.set()

    def set_tags(self, values: dict[str, str]) -> None:
        """Record tags, among them why a run ended, for which there is room even on a full disk."""
        texts = {key: storable(value, MAX_TAG_LETTERS) for key, value in values.items()}
        try:
            self._write("tags", values=texts)
        except NotWritten:
            if not release_reserve(self.folder):
                raise
            self._write("tags", values=texts)

    def register_model(self, name: str) -> None:
        """Register the MLflow model in the folder as a version, once its files are sent."""
        self._registered_name = name

    def finish(self, status: str) -> str | None:
        """Record the files and the end, wait for the store, and clear a finished run's folder once all is there.

        A run that did not finish keeps its folder, to go on from.

        Args:
            status: FINISHED, FAILED or KILLED.

        Returns:
            Where the artifacts are now; None when the store could not be reached and they wait in the folder.
        """
        release_reserve(self.folder)
        try:
            self._write("artifacts")
            if self._registered_name:
                self._write("register", name=self._registered_name)
            self._write("finish", status=status)
        except NotWritten as error:
            log.error("the end of this run is not in its record: %s", error)
        self._ended.set()
        self._measured.set()
        self._wake.set()
        self._thread.join(SECONDS_TO_FINISH)
        # Whoever sends the rest later must be alone with the journal.
        self._given_up.set()
        self._thread.join(SECONDS_OF_ONE_CALL)
        self._lock.release()
        if self._thread.is_alive() or not is_sent(self.folder):
            return None
        try:
            return clear_folder(self.sender) if status == "FINISHED" else self.sender.artifact_place()
        except Exception as error:
            # All was sent, and the store went away since: asking where it lies must not fail the run.
            log.warning("tracking store %s: %s; all was sent, and the folder is kept", shown_uri(), reason_of(error))
            return None

    def _write(self, operation: str, **content: Any) -> None:
        entry = {"op": operation, "time": int(time.time() * 1000), **_hidden(content)}
        append(self.folder, entry)
        self._wake.set()

    def _send(self) -> None:
        pause, last_reason = FIRST_PAUSE_SECONDS, ""
        self._measured.wait(SECONDS_BEFORE_SENDING)
        while True:
            self._wake.wait()
            self._wake.clear()
            ended = self._ended.is_set()
            try:
                self.sender.send_pending()
                pause, last_reason = FIRST_PAUSE_SECONDS, ""
            except Exception as error:
                if (reason := reason_of(error)) != last_reason:
                    log.warning("tracking store %s: %s; the record waits in %s", shown_uri(), reason, self.folder)
                last_reason = reason
                # What only a person can change is not worth the wait at the end.
                if ended and (isinstance(error, UserError) or error_kind(error) is not ErrorKind.away):
                    return
                (self._given_up if ended else self._ended).wait(pause)
                if self._given_up.is_set():
                    return
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
                self._wake.set()
                continue
            if ended:
                return


def _cut(key: str, value: str) -> str:
    if len(value) > MAX_PARAMETER_LETTERS:
        log.warning(
            "parameter %s is cut at %d characters in MLflow; .hydra/config.yaml has all", key, MAX_PARAMETER_LETTERS
        )
    return storable(value, MAX_PARAMETER_LETTERS)


def _hidden(content: Any) -> Any:
    """The same texts with passwords removed."""
    if isinstance(content, dict):
        return {key: _hidden(value) for key, value in content.items()}
    return without_passwords(content) if isinstance(content, str) else content
