"""Log handlers of commands that consist of many runs: which lines go to the terminal and which to log files."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TextIO

LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
# Loggers whose every line is shown: the comparison, rounds of planning, and the making and reading of cases before the
# first training.
TERMINAL_LOGGERS = (
    "surrogate_modeling.comparison", "surrogate_modeling.cases", "surrogate_modeling.generation",
    "surrogate_modeling.experiment.dataset", "surrogate_modeling.planning",
)  # fmt: skip


def print_text(text: str) -> None:
    """Print a text, of which a reader such as ``head`` or a pager that is left may want the first lines only."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        leave_pipe(sys.stdout)


def leave_pipe(stream: TextIO) -> None:
    """Let a stream whose reader has gone end nowhere: Python would write the rest at its end, and fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write the log to a file as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


class OnceFilter(logging.Filter):
    """Log filter that passes each warning once per process: a warning about the cases holds for every trial.

    Tracebacks are in the trial's log file; the search says in one line why a trial failed.
    """

    seen: ClassVar[set[str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message was not logged before and has no traceback."""
        if record.exc_info:
            return False
        message = record.getMessage()
        new = message not in self.seen
        self.seen.add(message)
        return new


class _SummaryFilter(OnceFilter):
    """Log filter that passes every line of the comparison, and each warning of its runs once."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(TERMINAL_LOGGERS):
            return True
        return record.levelno >= logging.WARNING and super().filter(record)


@contextmanager
def quiet_console() -> Iterator[None]:
    """Hide the log lines of single runs on the terminal; each run has them in its train.log."""
    handlers, own = console_handlers(), _SummaryFilter()
    for handler in handlers:
        handler.addFilter(own)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(own)


def quieten_console() -> None:
    """Show only warnings on the terminal, each once; trials have all lines in their log file."""
    for handler in console_handlers():
        handler.setLevel(logging.WARNING)
        handler.addFilter(OnceFilter())


def console_handlers() -> list[logging.Handler]:
    """The root logger's handlers that write to the terminal."""
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]
