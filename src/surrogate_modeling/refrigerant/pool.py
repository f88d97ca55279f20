"""Pool of worker processes, started as plain Python processes so that no script needs a main guard.

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

# -P: files in the current folder must not be imported as modules.
COMMAND = [sys.executable, "-P", "-m", "surrogate_modeling.refrigerant.worker"]
CaseOutcome = tuple[int, FailedCase | None]


class WorkerError(RuntimeError):
    """No worker process can run: the installation is at fault, not a case."""


def run_workers(folder: Path, plan: CasePlan, numbers: list[int], workers: int) -> Iterator[CaseOutcome]:
    """Simulate cases in worker processes, and yield each case's outcome as it finishes."""
    pending = deque(numbers)
    results: queue.Queue[CaseOutcome | Exception] = queue.Queue()
    prepared = threading.Event()
    pool = [_Worker(folder, plan, pending, results, prepared) for _ in range(min(workers, len(numbers)))]
    try:
        # The first worker builds tables and compiled code; the others would only repeat that.
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
    """Thread that drives one worker process: sends case numbers, collects answers, restarts a process that died."""

    def __init__(
        self,
        folder: Path,
        plan: CasePlan,
        pending: deque[int],
        results: queue.Queue[CaseOutcome | Exception],
        prepared: threading.Event,
    ) -> None:
        super().__init__(daemon=True)
        self.folder, self.plan = folder, plan
        self.pending, self.results, self.prepared = pending, results, prepared
        self.process: subprocess.Popen[str] | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> None:
        """Process cases until none are pending; a process that dies fails only its current case."""
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
        except Exception as error:  # any error: the main thread must not wait for ever
            self.results.put(error)
        finally:
            self._close()

    def stop(self) -> None:
        """Terminate the process; its current case is not written."""
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
            # A worker uses one core; further threads of libraries would only compete for the cores.
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
        """Send a line and return the answer; None if the process has ended."""
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
