"""The log of a run: warnings counted for its summary, passwords hidden, a full disk reported once."""

from __future__ import annotations

import errno
import io
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from surrogate_modeling.common.passwords import without_passwords
from surrogate_modeling.common.tables import printable_lines

# Its warnings say where the record waits, which the last message of a run does too.
NOT_COUNTED = "surrogate_modeling.tracking"
MOST_LINES = 30


class Warnings(logging.Handler):
    """Counts the warnings and errors that are logged, by their text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        if not record.name.startswith(NOT_COUNTED):
            self.counts[record.getMessage()] += 1

    def summary(self) -> str:
        """A line each, in the order in which they first came; empty where there was none."""
        lines = [f"{count} x {message}" for message, count in list(self.counts.items())[:MOST_LINES]]
        if more := len(self.counts) - len(lines):
            lines.append(f"and {more} more, see above")
        return "\n".join(lines)


@contextmanager
def warnings_counted() -> Iterator[Warnings]:
    """Count the warnings from here on; inside another such block, in the counts of that one."""
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


class SafeFormatter(logging.Formatter):
    """Formats as another formatter does, but shows no password and obeys no terminal escape, in tracebacks too.

    Args:
        usual: the formatter; None for the standard one.
    """

    def __init__(self, usual: logging.Formatter | None) -> None:
        super().__init__()
        self.usual = usual or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return printable_lines(without_passwords(self.usual.format(record)))


def make_logs_safe() -> None:
    """Let the handlers of the root logger, as they are now, write any name of a column and no password.

    What the terminal's encoding lacks is written as an escape; log files are UTF-8 whatever the locale.
    """
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, SafeFormatter):
            handler.setFormatter(SafeFormatter(handler.formatter))
        stream = getattr(handler, "stream", None)
        if isinstance(handler, logging.FileHandler):
            handler.encoding = "utf-8"
        if isinstance(stream, io.TextIOWrapper):
            encoding = "utf-8" if isinstance(handler, logging.FileHandler) else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def report_full_disk_once() -> None:
    """Let the log files of this process report a full disk in one line, not with a traceback for every line."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = _ReportedOnce(handler)  # type: ignore[method-assign]


class _ReportedOnce:
    def __init__(self, handler: logging.FileHandler) -> None:
        self.file, self.usual = handler.baseFilename, type(handler).handleError.__get__(handler)
        self.reported = False

    def __call__(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            self.usual(record)
        elif not self.reported:
            self.reported = True
            print(f"{self.file}: {error.strerror}; log lines from here on are missing there", file=sys.stderr)
