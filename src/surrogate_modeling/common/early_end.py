"""Ask a training to end after its epoch: by Ctrl-C, or by a file ``stop`` in the folder of the run.

The file is what every process of a training looks at, those on other folds too; Ctrl-C writes it.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from surrogate_modeling.common.interruption import interrupt

log = logging.getLogger(__name__)
STOP_FILE, CHECKPOINTS = "stop", "checkpoints"
# A launcher such as PDM passes on a Ctrl-C that the terminal has sent already: the same press comes twice.
SECONDS_OF_ONE_PRESS = 1.0
MAX_LETTERS = 200
WHAT_FOLLOWS = "training ends after its epoch; then the run is tested, reported and saved"


def stop_file(folder: Path) -> Path:
    """The file that asks a run to end its training.

    Args:
        folder: of the run, or one of its folders of checkpoints.
    """
    own = next((each.parent for each in (folder, *folder.parents) if each.name == CHECKPOINTS), folder)
    return own / STOP_FILE


def is_asked(folder: Path) -> bool:
    """Whether training was asked to end; ``folder`` as of :func:`stop_file`."""
    return stop_file(folder).exists()


def asked_by(folder: Path) -> str | None:
    """What asked training to end, for the record; None if nothing did."""
    file = stop_file(folder)
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return " ".join(text.read(MAX_LETTERS).split()) or f"the file {STOP_FILE}"
    except FileNotFoundError:
        return None
    except OSError:
        return f"the file {STOP_FILE}"


def ask(folder: Path, who: str) -> None:
    """Ask training to end; ``who`` asks is kept for the record.

    Raises:
        OSError: the file cannot be written.
    """
    # Without buffers and their locks: a signal handler comes here.
    file = os.open(stop_file(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(file, f"{who}\n".encode())
    finally:
        os.close(file)


def take_back(folder: Path) -> None:
    """Remove the file, so that a training that goes on is not ended by it."""
    stop_file(folder).unlink(missing_ok=True)


@contextmanager
def ended_when_asked(folder: Path, *, by_interrupt: bool) -> Iterator[None]:
    """Say how training can be ended, and let the first Ctrl-C ask for it; the next one interrupts.

    Args:
        folder: of the run.
        by_interrupt: whether Ctrl-C asks; else it interrupts at once.

    Raises:
        KeyboardInterrupt: at the second Ctrl-C.
    """
    with _first_interrupt_asks(folder, by_interrupt) as taken:
        how = "Ctrl-C once, or " if taken else ""
        log.info("%spdm run finish run=%s: %s", how, folder, WHAT_FOLLOWS)
        yield
    take_back(folder)


@contextmanager
def _first_interrupt_asks(folder: Path, wanted: bool) -> Iterator[bool]:
    """Handle Ctrl-C; yields whether it is, which it is not where it is ignored or outside the main thread."""
    before = signal.getsignal(signal.SIGINT)
    # What is ignored, as in a process that a shell starts in the background, stays so.
    taken = wanted and before is not signal.SIG_IGN
    first = -1.0

    def handle(number: int, frame: FrameType | None) -> None:
        """Ask at the first press, interrupt at the second."""
        nonlocal first
        now = time.monotonic()
        if first < 0:
            first = now
            try:
                ask(folder, "Ctrl-C")
            except OSError:
                interrupt(number, frame)
            _say(f"\nCtrl-C: {WHAT_FOLLOWS}. Ctrl-C again interrupts at once.\n")
        elif now - first > SECONDS_OF_ONE_PRESS:
            interrupt(number, frame)

    try:
        if taken:
            signal.signal(signal.SIGINT, handle)
    except ValueError:  # not in the main thread, e.g. a trial of a search run by threads
        taken = False
    try:
        yield taken
    finally:
        if taken:
            signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    """Write to the terminal past Python's streams, which may be in the middle of a line that the signal interrupted."""
    try:
        os.write(2, text.encode())
    except OSError:
        return
