"""What many runs in one process print on the terminal, and what their log files keep."""

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
    """Keep what is said in a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


class FirstTime(logging.Filter):
    """Lets a warning through once in this process: what is said of the cases is true of every trial.

    Tracebacks are in the trial's log file; the search says in one line why a trial failed.
    """

    said: ClassVar[set[str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new, and no traceback."""
        if record.exc_info:
            return False
        message = record.getMessage()
        new = message not in self.said
        self.said.add(message)
        return new


class _OurOwn(FirstTime):
    """What the comparison says, and of the runs only what needs a look, once."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(OURS):
            return True
        return record.levelno >= logging.WARNING and super().filter(record)


@contextmanager
def quiet_console() -> Iterator[None]:
    """Each run says everything in its train.log."""
    handlers, own = console_handlers(), _OurOwn()
    for handler in handlers:
        handler.addFilter(own)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(own)


def quieten_console() -> None:
    """Trials say everything in their log file; on the terminal only what needs a look, and once."""
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
