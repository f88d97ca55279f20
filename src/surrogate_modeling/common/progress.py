"""Progress of long loops: a bar on a terminal, a log line every few seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")
# Called after each training epoch with its metrics and its number; may raise to end the training.
OnEpoch = Callable[[dict[str, float], int], None]
SECONDS_BETWEEN_LINES = 5.0


def track_share(items: Iterable[Item], share: Callable[[Item], float], description: str) -> Generator[Item, None, None]:
    """Yield the pieces of one long thing, and log every few seconds what share of it is done and the time left.

    Args:
        items: the pieces, in their order.
        share: of the whole that is done with a piece, 0 to 1.
        description: name of the thing, e.g. of a file.
    """
    last_logged = began = time.monotonic()
    for item in items:
        yield item
        now, done = time.monotonic(), share(item)
        if now - last_logged > SECONDS_BETWEEN_LINES and 0 < done < 1:
            last_logged = now
            log.info("%s: %.0f %%, about %.0f s left", description, 100 * done, (1 - done) / done * (now - began))


def track(
    items: Iterable[Item], total: int, description: str, bar: bool = True, done: int = 0
) -> Generator[Item, None, None]:
    """Yield the items, and show how many of ``total`` are done and the time left.

    Args:
        items: to be processed, in any order.
        total: how many there will be.
        description: name of the work, e.g. ``reading cases``.
        bar: draw a bar when the output is a terminal.
        done: how many of ``total`` were done before.
    """
    if bar and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(description, total=total, completed=done)
            for item in items:
                yield item
                progress.advance(task)
        return
    last_logged = began = time.monotonic()
    for finished, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if finished == 1:
            # The time to the first item is mostly start-up, so the estimate begins here.
            began = now
        elif now - last_logged > SECONDS_BETWEEN_LINES:
            last_logged = now
            left = (total - done - finished) * (now - began) / (finished - 1)
            log.info("%s: %d of %d, about %.0f s left", description, done + finished, total, left)
