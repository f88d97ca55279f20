"""Pool of worker processes, started as plain Python processes so that no script needs a main guard.

A worker reads the folder and the simulator, then case numbers, one per line of its standard input, and answers one
line of JSON per case. It ends when its input ends, which also happens when the parent is killed. It is in a session of
its own: Ctrl-C reaches the parent alone, which then stops it and what it started. What it writes to standard error is
kept in a file, whose last line says more about a case that failed.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surrogate_modeling.common.cores import THREADS_VARIABLES
from surrogate_modeling.common.errors import first_line
from surrogate_modeling.generation.simulator import Outcome, Simulator, case_name

# -P: files in the current folder must not be imported as modules.
COMMAND = [sys.executable, "-P", "-m", "surrogate_modeling.generation.worker"]
# Bytes at the end of a worker's standard error in which its last line is looked for, and characters of it shown.
TAIL_BYTES, SHOWN_CHARACTERS = 4096, 300
SECONDS_TO_END = 10.0
# Of the folder of the cases: what failed cases left.
FAILED_FOLDER = "failed"
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class WorkerError(RuntimeError):
    """No worker process can run: the installation is at fault, not a case."""


@dataclass(frozen=True)
class Running:
    """How cases are run: worker processes, time limit of a case [s] (None: no limit), and attempts at a case.

    A case that ran out of time is not tried again.
    """

    workers: int
    timeout: float | None = None
    attempts: int = 1


def run_workers(
    folder: Path, simulator: Simulator, numbers: list[int], running: Running
) -> Generator[Outcome, None, None]:
    """Make cases in worker processes, and yield each case's outcome as it finishes.

    Raises:
        WorkerError: a worker process cannot start.
    """
    jobs = _Jobs(deque((number, 1) for number in numbers), queue.Queue(), threading.Event())
    with tempfile.TemporaryDirectory(prefix="generation-", ignore_cleanup_errors=True) as scratch:
        order = {
            "folder": str(folder.absolute()),
            "simulator": base64.b64encode(pickle.dumps(simulator)).decode(),
            "scratch": scratch,
        }
        pool = [
            _Worker(order, jobs, running, simulator.one_case_per_process)
            for _ in range(min(running.workers, len(numbers)))
        ]
        try:
            # The first worker builds tables and compiled code; the others would only repeat that.
            pool[0].start()
            prepared_seen = False
            for _ in numbers:
                if not prepared_seen:
                    while not jobs.prepared.wait(0.2) and jobs.results.empty():
                        pass
                    prepared_seen = True
                    for worker in pool[1:]:
                        worker.start()
                yield jobs.next_result()
        finally:
            jobs.pending.clear()
            for worker in pool:
                worker.stop()


@dataclass(frozen=True)
class _Jobs:
    """What the workers of a pool share: (case number, attempt) still to do, outcomes, whether one is prepared."""

    pending: deque[tuple[int, int]]
    results: queue.Queue[Outcome | Exception]
    prepared: threading.Event

    def next_result(self) -> Outcome:
        """Wait for the outcome of any case.

        Raises:
            Exception: what ended the thread of a worker.
        """
        # A timeout keeps the main thread open to Ctrl-C on every platform.
        while True:
            try:
                outcome = self.results.get(timeout=0.5)
                break
            except queue.Empty:
                continue
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class _Worker(threading.Thread):
    """Thread that drives one worker process: sends case numbers, collects answers, restarts a process that died."""

    def __init__(self, order: dict[str, str], jobs: _Jobs, running: Running, single: bool) -> None:
        super().__init__(daemon=True)
        self.order, self.jobs, self.running, self.single = order, jobs, running, single
        self.process: subprocess.Popen[str] | None = None
        self.errors: Path | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> None:
        """Process cases until none are pending; a process that dies fails only its current case."""
        try:
            while self.jobs.pending and not self.stopped:
                if self.process is None and not self._open():
                    return
                try:
                    number, attempt = self.jobs.pending.popleft()
                except IndexError:
                    return
                outcome, again = self._make(number)
                if self.stopped:
                    return
                outcome = self._cleared(outcome)
                if outcome.reason and again and attempt < self.running.attempts:
                    # At once: that all cases fail is to be seen after the first few.
                    self.jobs.pending.appendleft((number, attempt + 1))
                else:
                    self.jobs.results.put(outcome)
        except Exception as error:  # any error: the main thread must not wait for ever
            self.jobs.results.put(error)
        finally:
            self._close()

    def stop(self) -> None:
        """Terminate the process; its current case is not written."""
        with self.lock:
            self.stopped = True
            if self.process is not None:
                _send_signal(self.process, signal.SIGTERM)
        if self.ident is not None:
            self.join(timeout=SECONDS_TO_END)

    def _make(self, number: int) -> tuple[Outcome, bool]:
        """Have one case made; returns what became of it, and whether another attempt may help."""
        process = self.process
        assert process is not None
        late = threading.Event()

        def end() -> None:
            """Kill the process, whose time is over."""
            late.set()
            _send_signal(process, KILL)

        timer = threading.Timer(self.running.timeout, end) if self.running.timeout is not None else None
        if timer is not None:
            timer.start()
        answer = self._ask(str(number))
        if timer is not None:
            timer.cancel()
        said = self._last_error()
        if answer is None:
            # A program that outlives its worker would go on writing to the case's folder.
            _send_signal(process, KILL)
        if answer is None or late.is_set() or self.single or answer.get("spent"):
            self._close()
        if answer is not None:
            reason = f"{answer['reason']}{said}" if answer["reason"] else ""
            return Outcome(number, reason, tuple(answer.get("remarks", ()))), True
        if late.is_set():
            return Outcome(number, f"not done after {self.running.timeout:g} s{said}"), False
        return Outcome(number, f"the process died over this case ({ending(process.returncode)}){said}"), True

    def _cleared(self, outcome: Outcome) -> Outcome:
        """Remove the folder of a case; that of one that failed is kept, or the outcome says why not."""
        assert self.errors is not None
        left = self.errors.with_name(case_name(outcome.number))
        if outcome.reason and left.is_dir():
            kept = Path(self.order["folder"]) / FAILED_FOLDER / left.name
            try:
                kept.parent.mkdir(exist_ok=True)
                if kept.exists():
                    shutil.rmtree(kept)
                shutil.move(left, kept)
            except OSError as error:
                why = (error.strerror or first_line(error))[:SHOWN_CHARACTERS]
                outcome = replace(outcome, reason=f"{outcome.reason}; its folder could not be kept: {why}")
        shutil.rmtree(left, ignore_errors=True)
        return outcome

    def _open(self) -> bool:
        with self.lock:
            if self.stopped:
                return False
            root = str(Path(__file__).resolve().parents[2])
            paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
            # A worker uses one core; further threads of libraries would only compete for the cores.
            limits = dict.fromkeys(THREADS_VARIABLES, "1")
            scratch = tempfile.mkdtemp(dir=self.order["scratch"])
            self.errors = Path(scratch) / "stderr"
            with self.errors.open("ab") as errors:
                self.process = subprocess.Popen(
                    COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    env={**os.environ, **limits, "PYTHONPATH": os.pathsep.join(paths)},
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        if self._ask(json.dumps({**self.order, "scratch": scratch})) is None:
            if not self.stopped:
                raise WorkerError(f"a worker process ended while starting{self._last_error()}")
            return False
        self.jobs.prepared.set()
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

    def _last_error(self) -> str:
        """The last line that the process wrote to standard error, as an addition to a message; then it is forgotten."""
        assert self.errors is not None
        with self.errors.open("r+b") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
            file.truncate(0)
        return f": {lines[-1].strip()[:SHOWN_CHARACTERS]}" if lines else ""

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
            process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _send_signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a worker and the programs that it started, which are in its session."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()
    except (ProcessLookupError, PermissionError):
        pass  # it has ended already


def ending(code: int | None) -> str:
    """Name of a process's end: its signal or exit code."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
