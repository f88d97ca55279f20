"""Runs of a search or a comparison in the tracking store: the parent run, and trials whose process died."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from surrogate_modeling.common.atomic_file import NotWritten, write_atomic
from surrogate_modeling.common.folders import remove_empty
from surrogate_modeling.common.interruption import terminated_as_interrupt
from surrogate_modeling.config.refusals import one_line
from surrogate_modeling.tracking.journal import JOURNAL, is_sent
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import Sender, clear_folder, send_later

log = logging.getLogger(__name__)
# The first connection may have to make the database.
SECONDS_FOR_ID = 60.0


class ParentRun:
    """Parent run of a search or a comparison, above the runs of its trainings.

    A command that goes on with a search or a comparison goes on with its run, which the store knows by the folder's
    name.

    Args:
        folder: of the run, in a folder of this command alone; it must not exist.
        experiment: name in the store; None keeps the files in the folder, and records nothing.
        name: of the run.
        tags: set at the start, also of a run that is gone on with.
        params: fixed at the start.
    """

    def __init__(
        self, folder: Path, experiment: str | None, name: str, *, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> None:
        self.folder, self.experiment, self.name = folder, experiment, name
        self.tags, self.params = dict(tags), dict(params)
        self.id: str | None = None
        self.place: str | None = str(folder)
        self._run: Run | None = None

    def start(self) -> None:
        """Begin or resume the run; :attr:`id` is then the parent id of the trainings."""
        self.folder.mkdir(parents=True)
        if self.experiment is not None:
            self._run = Run.start(self.folder, self.experiment, self.name, self.tags, self.params, self.folder.name)
            # A run that is gone on with has those of before.
            self._run.set_tags(self.tags)
            self.id = run_id(self.folder)

    @contextmanager
    def recording(self, write: Callable[[str], Mapping[str, float]]) -> Iterator[None]:
        """Record how the block ends: FINISHED, FAILED, or KILLED by Ctrl-C or SIGTERM.

        Args:
            write: is given the status, writes the files of the run and returns its metrics.
        """
        status = "FAILED"
        try:
            with terminated_as_interrupt():
                yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self._end(status, write)

    def _end(self, status: str, write: Callable[[str], Mapping[str, float]]) -> None:
        metrics: Mapping[str, float] = {}
        try:
            metrics = write(status)
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        except Exception as error:
            if status == "FINISHED":
                status = "FAILED"
                raise
            # Why the block ended is what is raised.
            log.error("%s: its files could not be written: %s", self.name, one_line(error))
        finally:
            # Else the run would stay RUNNING in the store, and locked.
            self._finish(status, metrics)

    def _finish(self, status: str, metrics: Mapping[str, float]) -> None:
        if self._run is None:
            return
        try:
            self._run.log_metrics(dict(metrics))
        except NotWritten as error:
            log.error("%s: its metrics could not be recorded: %s", self.name, error)
        self.place = self._run.finish(status)
        clear_sent(self.folder)
        remove_empty(self.folder.parent, levels=2)
        if self.place is None:
            log.warning(
                "the tracking store could not be reached; send the record with:\n  pdm run send %s", self.folder
            )


def run_id(folder: Path) -> str | None:
    """Wait for the store's id of a run that was just begun; None when the store does not answer.

    Args:
        folder: of the run.
    """
    deadline = time.monotonic() + SECONDS_FOR_ID
    sender = Sender(folder)
    while time.monotonic() < deadline:
        found = sender.state["run_id"]
        if found:
            return str(found)
        time.sleep(0.05)
    log.warning("the tracking store does not answer: the runs of the trainings will not hang below %s", folder.name)
    return None


def clear_sent(folder: Path) -> None:
    """Delete the folder of a run that is completely in the store and will not be resumed.

    Args:
        folder: of the run.
    """
    if (folder / JOURNAL).exists() and is_sent(folder):
        clear_folder(Sender(folder))


def end_interrupted(folder: Path, reason: str) -> None:
    """Send the record of a trial whose process died, and end it as KILLED.

    Args:
        folder: of the trial's run.
        reason: for the record.
    """
    journal = folder / JOURNAL
    # The last line may have been cut by the death.
    whole, end, _ = journal.read_bytes().rpartition(b"\n") if journal.exists() else (b"", b"", b"")
    if not whole or json.loads(whole.splitlines()[-1])["op"] == "finish":
        return
    now = int(time.time() * 1000)
    entries = [
        {"op": "tags", "time": now, "values": {"error": reason}},
        {"op": "artifacts", "time": now},
        {"op": "finish", "time": now, "status": "KILLED"},
    ]
    write_atomic(journal, whole + end + b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
    send_later([folder])
    clear_sent(folder)
