"""What every process that a training starts needs: it ends with its parent, and leaves Ctrl-C to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits while a process is started, which inherits that: it reaches the parent only, from the beginning."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fresh_processes() -> SpawnContext:
    """The context of processes that begin anew: those that are forked would have this one's threads and locks.

    They are told the start method of this process, and in one that joblib started they would not know it.
    """
    # Without fixing the method of a process that has none yet.
    known = [None, *multiprocessing.get_all_start_methods()]
    if multiprocessing.get_start_method(allow_none=True) not in known:
        multiprocessing.set_start_method("spawn", force=True)
    return multiprocessing.get_context("spawn")


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it however it ends; to be called in the process that was started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
