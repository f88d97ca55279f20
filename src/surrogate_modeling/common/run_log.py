"""What a run says: errors in a line, warnings counted for the summary, a full disk once instead of at each line."""

from __future__ import annotations

import errno
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

# They say where the record waits, which the last message does too.
NOT_COUNTED = "surrogate_modeling.tracking"
SHOWN = 30


class Warnings(logging.Handler):
    """Counts what was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        if not record.name.startswith(NOT_COUNTED):
            self.counts[record.getMessage()] += 1

    def summary(self) -> str:
        """A line each, in the order in which they first came; empty where there was none."""
        lines = [f"{count} x {said}" for said, count in list(self.counts.items())[:SHOWN]]
        if more := len(self.counts) - len(lines):
            lines.append(f"and {more} more, see above")
        return "\n".join(lines)


@contextmanager
def warnings_counted() -> Iterator[Warnings]:
    """Count the warnings from here on; within another of its kind, go on with the counts of that one."""
    root = logging.getLogger()
    outer = next((handler for handler in root.handlers if isinstance(handler, Warnings)), None)
    if outer is not None:
        yield outer
        return
    counter = Warnings()
    root.addHandler(counter)
    try:
        yield counter
    finally:
        root.removeHandler(counter)


def say_full_disk_once() -> None:
    """Let the log files of this process say a full disk in one line, not with a traceback for every line."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = _QuietWhenFull(handler)  # type: ignore[method-assign]


class _QuietWhenFull:
    def __init__(self, handler: logging.FileHandler) -> None:
        self.file, self.usual, self.said = handler.baseFilename, type(handler).handleError.__get__(handler), False

    def __call__(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            self.usual(record)
        elif not self.said:
            self.said = True
            print(f"{self.file}: {error.strerror}; what is said from here on is missing there", file=sys.stderr)
