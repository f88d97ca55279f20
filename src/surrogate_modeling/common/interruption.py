"""Ctrl-C and a scheduler's SIGTERM or SIGUSR1 as one exception, raised where it leaves no lock behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# An exception raised by a signal handler just after one of these took a lock leaves it taken for good: a logging
# handler's, a module's that is being imported, an event's. The thread that sends the record then waits for ever.
LOCKING = ("logging", "importlib._bootstrap", "threading")
# Their own waits give the lock away, and may take as long as a worker does.
WAITING = frozenset({"wait", "wait_for", "join", "_wait_for_tstate_lock"})
SECONDS_TO_NEXT_TRY = 0.01


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """These signals raise ``KeyboardInterrupt`` in the main thread, so that an ended run is recorded.

    Raises:
        KeyboardInterrupt: one of them came.
    """
    # A shell lets what it starts in the background ignore Ctrl-C: that stays so.
    stopping = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGUSR1"):  # what Slurm is told to send before a job's time is over
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
    """Handler of a signal: raises now, or a moment later where a lock may be held now."""
    if hasattr(signal, "setitimer") and _may_hold_lock(frame):
        signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_NEXT_TRY)
        return
    raise KeyboardInterrupt


def _may_hold_lock(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") in LOCKING and frame.f_code.co_name not in WAITING:
            return True
        frame = frame.f_back
    return False
