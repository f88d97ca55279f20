"""Folder that a command writes its results into."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded

LOCK = "writing.lock"


def made_folder(given: str | Path, part: str = "") -> Path:
    """Make the folder that the key ``output`` names, and a folder in it.

    Args:
        given: value of the key, or what stands for it.
        part: name of the folder in it; empty: none.

    Raises:
        UserError: it cannot be made.
    """
    folder = expanded(given, "output")
    try:
        (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={given}: {error.strerror}; give a folder that can be written") from None
    return folder


@contextmanager
def held(lock: Path, given: str | Path) -> Iterator[None]:
    """Keep other commands from writing the same results meanwhile.

    Args:
        lock: file that is there as long as this lasts; its folder exists.
        given: value of the key ``output``.

    Raises:
        UserError: another command writes them, or the file cannot be made.
    """
    hold = FileLock(lock)
    try:
        hold.acquire(timeout=0)
    except Timeout:
        raise UserError(f"output={given}: another command is writing there; wait for it, or give another one") from None
    except OSError as error:
        raise UserError(f"output={given}: {error.strerror}; give a folder that can be written") from None
    try:
        yield
    finally:
        # Before the release: later it may be the lock of another command. Windows removes it by itself.
        with contextlib.suppress(OSError):
            lock.unlink()
        hold.release()


@contextmanager
def held_folder(folder: Path, given: str | Path) -> Iterator[None]:
    """Keep other commands from writing into a folder meanwhile; it is removed if it is empty then.

    Args:
        folder: exists.
        given: value of the key ``output``.

    Raises:
        UserError: another command writes into it, or it cannot be written.
    """
    try:
        with held(folder / LOCK, given):
            yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextmanager
def output_folder(given: str, result: str, *, overwrite: bool) -> Iterator[Path]:
    """Check and make the folder; it is removed again if nothing was written into it.

    Args:
        given: value of the key ``output``.
        result: name of a file that says that an earlier result is there.
        overwrite: whether it may be.

    Raises:
        UserError: it cannot be made, holds an earlier result, or another command writes into it.
    """
    output = made_folder(given)
    with held_folder(output, given):
        if not overwrite and (output / result).exists():
            raise UserError(f"output={given}: holds an earlier result; give another folder or overwrite=true")
        yield output
