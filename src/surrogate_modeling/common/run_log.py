"""The log of a run: warnings counted for its summary, passwords hidden, a full disk reported once."""

from __future__ import annotations

import errno
import io
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from surrogate_modeling.common.console import leave_pipe
from surrogate_modeling.common.passwords import without_passwords
from surrogate_modeling.common.tables import printable_lines
from surrogate_modeling.common.wording import lines_and_rest

# Its warnings name where an unsent record is kept, and so does the last message of a run.
UNCOUNTED_LOGGER = "surrogate_modeling.tracking"
MAX_SUMMARY_LINES = 30


class Warnings(logging.Handler):
    """Log handler that counts warnings and errors by their text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        if not record.name.startswith(UNCOUNTED_LOGGER):
            self.counts[record.getMessage()] += 1

    def summary(self) -> str:
        """One line per warning, in the order of their first occurrence; empty if there was none."""
        lines = [f"{count} x {message}" for message, count in self.counts.items()]
        return "\n".join(lines_and_rest(lines, MAX_SUMMARY_LINES, "more, see above"))


@contextmanager
def warnings_counted() -> Iterator[Warnings]:
    """Count the warnings within the block; a nested block counts into the outer one."""
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
    """Log formatter that wraps another one and hides passwords and terminal escapes, in tracebacks too.

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
    """Make the current handlers of the root logger hide passwords and accept column names in any script.

    Characters that the terminal's encoding lacks are written as escapes; log files are UTF-8 whatever the locale.
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
            if not isinstance(handler, logging.FileHandler) and not isinstance(handler.handleError, _LeftAlone):
                handler.handleError = _LeftAlone(handler, stream)  # type: ignore[method-assign]


class _LeftAlone:
    """Ends what goes to a pipe that nobody reads any more, as behind ``head``, instead of a traceback for each line."""

    def __init__(self, handler: logging.Handler, stream: io.TextIOWrapper) -> None:
        self.stream, self.usual = stream, handler.handleError

    def __call__(self, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            leave_pipe(self.stream)
        else:
            self.usual(record)


def report_full_disk_once() -> None:
    """Report a full disk once per log file, in one line, instead of a traceback for every log line."""
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
