"""How far the generation has come: a bar with the time left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call once per finished case."""
    if sys.stderr.isatty():
        with _bar(total, done) as advance:
            yield advance
    else:
        yield _lines(total, done)


@contextmanager
def _bar(total: int, done: int) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("Refrigerant circuit cases"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("cases", total=total, completed=done)
        yield lambda: bar.advance(task)


def _lines(total: int, done: int) -> Callable[[], None]:
    last = time.monotonic()
    began: float | None = None  # set by the first finished case: what came before was compilation
    finished = 0
    print(
        f"Refrigerant circuit cases: {done} of {total} there, {total - done} to make",
        file=sys.stderr,
        flush=True,
    )

    def advance() -> None:
        """One more is done: a line, when the last was long ago."""
        nonlocal began, finished, last
        finished += 1
        now = time.monotonic()
        if began is None:
            began = now
            return
        if now - last < SECONDS_BETWEEN_LINES and done + finished < total:
            return
        last = now
        left = (total - done - finished) * (now - began) / (finished - 1)
        print(
            f"Refrigerant circuit cases: {done + finished} of {total}, about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    return advance
