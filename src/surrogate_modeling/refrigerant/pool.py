"""Worker processes: started as plain Python processes, so that no script needs a main guard.

A worker reads the folder and the plan, then case numbers, one per line of its standard input, and answers one
line of JSON per case. It ends when its input ends, which also happens when the parent is killed; it is in a
session of its own, so Ctrl-C reaches the parent alone, which then stops it.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surrogate_modeling.refrigerant.plan import CasePlan, FailedCase

# -P: whatever lies in the folder the user stands in must not be taken for a module.
COMMAND = [sys.executable, "-P", "-m", "surrogate_modeling.refrigerant.worker"]
Outcome = tuple[int, FailedCase | None]


class WorkerError(RuntimeError):
    """No worker can run: something is wrong with the installation rather than with a case."""


def run_workers(folder: Path, plan: CasePlan, numbers: list[int], workers: int) -> Iterator[Outcome]:
    """Yield each case's outcome as it comes."""
    pending = deque(numbers)
    results: queue.Queue[Outcome | Exception] = queue.Queue()
    prepared = threading.Event()
    pool = [_Worker(folder, plan, pending, results, prepared) for _ in range(min(workers, len(numbers)))]
    try:
        # The first builds tables and compiled code; the others would only repeat it at the same time.
        pool[0].start()
        prepared_seen = False
        for _ in numbers:
            if not prepared_seen:
                while not prepared.wait(0.2) and results.empty():
                    pass
                prepared_seen = True
                for worker in pool[1:]:
                    worker.start()
            # A timeout keeps the main thread open to Ctrl-C on every platform.
            while True:
                try:
                    outcome = results.get(timeout=0.5)
                    break
                except queue.Empty:
                    continue
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
    finally:
        pending.clear()
        for worker in pool:
            worker.stop()


class _Worker(threading.Thread):
    """Drives one process: hands it numbers, collects answers, restarts it once it has died over a case."""

    def __init__(
        self,
        folder: Path,
        plan: CasePlan,
        pending: deque[int],
        results: queue.Queue[Outcome | Exception],
        prepared: threading.Event,
    ) -> None:
        super().__init__(daemon=True)
        self.folder, self.plan = folder, plan
        self.pending, self.results, self.prepared = pending, results, prepared
        self.process: subprocess.Popen[str] | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> None:
        """Take cases until none are pending; a worker process that dies costs the case it was at, not the others."""
        number = 0
        try:
            while self.pending and not self.stopped:
                if self.process is None and not self._open():
                    return
                try:
                    number = self.pending.popleft()
                except IndexError:
                    return
                answer = self._ask(str(number))
                if self.stopped:
                    return
                if answer is None:
                    self._close()
                    self.results.put((number, FailedCase(number, "the worker process died over this case", {})))
                else:
                    failure = FailedCase(number, answer["reason"], answer["state"]) if answer["reason"] else None
                    self.results.put((number, failure))
        except Exception as error:  # whatever it is, the main thread must not wait for ever
            self.results.put(error)
        finally:
            self._close()

    def stop(self) -> None:
        """End the process now; a case it is in the middle of leaves nothing behind."""
        with self.lock:
            self.stopped = True
            if self.process is not None:
                self.process.terminate()
        if self.ident is not None:
            self.join(timeout=10.0)

    def _open(self) -> bool:
        with self.lock:
            if self.stopped:
                return False
            root = str(Path(__file__).resolve().parents[2])
            paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
            # Every worker has one core's worth of work; libraries starting threads would only contend.
            limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            self.process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, **limits, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        answer = self._ask(json.dumps({"folder": str(self.folder.absolute()), "plan": self.plan.to_json()}))
        if answer is None:
            if not self.stopped:
                raise WorkerError("a worker process ended while starting; its own message stands above")
            return False
        self.prepared.set()
        return True

    def _ask(self, line: str) -> dict[str, Any] | None:
        """Answer to a line, or None where the process has ended."""
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except (OSError, ValueError):
            return None
        return json.loads(answer) if answer.endswith("\n") else None

    def _close(self) -> None:
        with self.lock:
            process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # the process is gone already
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
