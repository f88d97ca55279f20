"""Run a tool as a process of its own, with the memory that it and its children take."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
EVERY = 0.5
LAST_LETTERS = 300


class ToolFailed(Exception):
    """A tool ended badly, or gave what nothing can be made of; the message says why, in one line."""


@dataclass(frozen=True)
class Ran:
    """Wall seconds of the process, and the largest sum of the resident memory of it and its children [bytes].

    The memory is 0 on systems without ``/proc``.
    """

    seconds: float
    peak: int


def descendants(pid: int) -> list[int]:
    """A process and all that it started, as Linux lists them."""
    children: dict[int, list[int]] = {}
    for status in PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold anything; the state and the parent follow it.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def resident(pid: int) -> int:
    """Bytes of memory of a process and its children; pages that they share count for each."""
    total = 0
    for each in descendants(pid):
        with suppress(OSError, ValueError, IndexError):
            total += int((PROCESSES / str(each) / "statm").read_text().split()[1]) * PAGE
    return total


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float) -> Ran:
    """Run a command to its end, with what it prints in ``output.log``.

    Args:
        words: of the command.
        folder: to run in.
        environment: variables beside those of this process.
        limit: seconds after which it is ended.

    Raises:
        ToolFailed: it ended with another code than 0, or took longer.
    """
    peaks = [0]
    log = folder / "output.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(EVERY):
                peaks[0] = max(peaks[0], resident(child.pid))

        sampling = threading.Thread(target=sample)
        sampling.start()
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            for each in descendants(child.pid):
                with suppress(OSError):
                    os.kill(each, signal.SIGKILL)
            child.wait()
            raise ToolFailed(f"not through after {limit:.0f} s: see {log}") from None
        finally:
            ended.set()
            sampling.join()
    if code != 0:
        raise ToolFailed(f"ended with code {code}: {last_line(log)}")
    return Ran(time.perf_counter() - began, peaks[0])


def last_line(log: Path) -> str:
    """Of what a process printed."""
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip()[:LAST_LETTERS] for line in reversed(lines) if line.strip()), "nothing was printed")
