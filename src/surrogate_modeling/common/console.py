"""Log handlers of commands that hold many runs: what reaches the terminal, and what the log files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
# Making and reading the cases comes before the first training, and takes a while.
OURS = ("surrogate_modeling.comparison", "surrogate_modeling.cases", "surrogate_modeling.refrigerant")


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


class FirstTime(logging.Filter):
    """Lets a warning through once in this process: a warning about the cases holds for every trial.

    Tracebacks are in the trial's log file; the search says in one line why a trial failed.
    """

    seen: ClassVar[set[str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new, and no traceback."""
        if record.exc_info:
            return False
        message = record.getMessage()
        new = message not in self.seen
        self.seen.add(message)
        return new


class _OurOwn(FirstTime):
    """Passes the lines of the comparison, and of its runs the warnings, each once."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(OURS):
            return True
        return record.levelno >= logging.WARNING and super().filter(record)


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep the lines of single runs off the terminal; each run has them in its train.log."""
    handlers, own = console_handlers(), _OurOwn()
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
        handler.addFilter(FirstTime())


def console_handlers() -> list[logging.Handler]:
    """The root logger's handlers that write to the terminal."""
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]
