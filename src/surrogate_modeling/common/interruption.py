"""Turn Ctrl-C, SIGTERM and SIGUSR1 into ``KeyboardInterrupt``, raised only where no lock is held."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Modules that take locks (log handlers, imports, events). An exception that a signal handler raises just after the lock
# is taken leaves it locked for good, and the thread that sends the record would wait for ever. Optuna's storage holds
# the lock of its database in the same way: a transaction that is cut short stays open, and locks this process out.
LOCKING_MODULES = ("logging", "importlib._bootstrap", "threading", "optuna.storages._rdb.storage")
# Functions of these modules that release the lock while they wait, as long as a worker may take.
WAIT_FUNCTIONS = frozenset({"wait", "wait_for", "join", "_wait_for_tstate_lock"})
RETRY_SECONDS = 0.01


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` in the main thread on these signals, so that the end of a run is recorded.

    Raises:
        KeyboardInterrupt: a signal was received.
    """
    # A process that a shell starts in the background ignores Ctrl-C, and keeps ignoring it.
    stopping = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGUSR1"):  # sent by Slurm, if so configured, before a job's time limit
        stopping.append(signal.SIGUSR1)
    handlers = {n: interrupt for n in stopping if signal.getsignal(n) is not signal.SIG_IGN}
    if hasattr(signal, "SIGALRM"):
        handlers[signal.SIGALRM] = interrupt
    try:
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    except ValueError:  # not in the main thread, e.g. a trial of a search run by threads
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Signal handler: raise now, or a moment later where a lock may be held."""
    if hasattr(signal, "setitimer") and _may_hold_lock(frame):
        signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        return
    raise KeyboardInterrupt


def _may_hold_lock(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") in LOCKING_MODULES and frame.f_code.co_name not in WAIT_FUNCTIONS:
            return True
        frame = frame.f_back
    return False
