"""Tell which processes that work on a study are alive.

On one machine a process holds a file lock as long as it lives: the system lets go of it however the process ends, so
that a killed search can be continued at once. From another machine only its heartbeat is seen.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from surrogate_modeling.search.away import AWAY

WORKER, HEARTBEAT = "worker", "heartbeat"
SECONDS_BETWEEN_BEATS = 15.0
# Without a beat for so long, a process on another machine is given up.
SECONDS_OF_SILENCE = 90.0
SECONDS_OF_YOUTH = 60.0


class Worker:
    """This process as the others see it.

    Args:
        folder: where the lock lies; exists.
        storage: of the study, for the heartbeat.
    """

    def __init__(self, folder: Path, storage: BaseStorage) -> None:
        self.storage = storage
        _clean(folder)
        lock = folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.alive"
        self.description = {"host": socket.gethostname(), "lock": str(lock)}
        self._lock = FileLock(lock)
        self._lock.acquire()
        self._running: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def take(self, trial_id: int) -> None:
        """Mark a trial as run by this process.

        Args:
            trial_id: the storage's.
        """
        self.storage.set_trial_user_attr(trial_id, WORKER, self.description)
        self._running.add(trial_id)

    def let_go(self, trial_id: int) -> None:
        """The trial is over."""
        self._running.discard(trial_id)

    def has_left(self, trial: FrozenTrial, trial_id: int) -> bool:
        """Whether a running trial was taken by this process, which works on it no more.

        Args:
            trial: of the study.
            trial_id: the storage's.
        """
        return trial.user_attrs.get(WORKER) == self.description and trial_id not in self._running

    def close(self) -> None:
        """This process works no more."""
        self._ended.set()
        self._thread.join()
        self._lock.release()
        Path(self.description["lock"]).unlink(missing_ok=True)

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(SECONDS_BETWEEN_BEATS):
            count += 1
            for trial_id in tuple(self._running):
                try:
                    self.storage.set_trial_user_attr(trial_id, HEARTBEAT, count)
                except (*AWAY, OptunaError, RuntimeError):
                    # Over by now, or a storage that does not answer: the next beat may reach it.
                    continue


class Liveness:
    """Tells whether the process of a running trial of one study is alive."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, float]] = {}

    def forget(self) -> None:
        """Begin anew: while a storage was away, no beat could reach it."""
        self._seen.clear()

    def is_alive(self, trial: FrozenTrial) -> bool:
        """Whether the trial may still come to an end; one without a process was left in the middle of its start."""
        worker = trial.user_attrs.get(WORKER)
        if worker is None:
            return False
        if worker["host"] == socket.gethostname():
            return _is_locked(Path(worker["lock"]))
        # Clocks of machines differ, so what counts is how long the beat stood still by our own.
        beat, now = trial.user_attrs.get(HEARTBEAT), time.monotonic()
        known, since = self._seen.get(trial.number, (None, now))
        self._seen[trial.number] = (beat, since if known == beat else now)
        return now - self._seen[trial.number][1] < SECONDS_OF_SILENCE


def _clean(folder: Path) -> None:
    """Remove what killed processes left; a young file may be one that is just being locked."""
    for path in folder.glob("*.alive"):
        try:
            if time.time() - path.stat().st_mtime > SECONDS_OF_YOUTH:
                _is_locked(path)
        except OSError:
            # Another process removed it.
            continue


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    path.unlink(missing_ok=True)
    return False
