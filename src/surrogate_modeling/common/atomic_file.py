"""Files that are whole or absent: written beside their final name, then renamed; and lines that are whole or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from surrogate_modeling.common.errors import UserError

# A part this old [s] was left by a process that was killed; a younger one may still be written by another.
STALE_AFTER = 3600.0
PART = f".{'[0-9a-f]' * 12}.*.part"
FULL = {errno.ENOSPC, errno.EDQUOT}
_cleaned: set[Path] = set()


class NotWritten(UserError):
    """A file could not be written; what was there before is intact."""


def write_atomic(path: Path, content: bytes | memoryview, durable: bool = True) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time.

    Args:
        path: its folder is made where there is none.
        content: all of the file.
        durable: whole after a power cut too, at the price of waiting for the disk; False for what no later run reads,
            such as figures.

    Raises:
        NotWritten: full disk, quota, permissions; with the path and the bytes needed and free.
    """
    # Of the name only a digest: with more than that a long one would pass the file system's limit.
    prefix = f".{hashlib.sha256(path.name.encode()).hexdigest()[:12]}."
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clean_once(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        # mkstemp makes files private; what users share has the rights of any other file of theirs.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException as error:
        if part is not None:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise NotWritten(_said(path, error, memoryview(content).nbytes)) from None
        raise


def append_atomic(path: Path, content: bytes) -> None:
    """Add a line to a file, whole or not at all; on the disk when this returns.

    Args:
        path: of the file.
        content: the line, its only line end last.

    Raises:
        NotWritten: as :func:`write_atomic`.
    """
    left = memoryview(content)
    try:
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            finally:
                # A whole line may have been read by now.
                if left:
                    file.truncate(before)
    except OSError as error:
        raise NotWritten(_said(path, error, len(content))) from None


def full_disk(error: OSError, folder: Path) -> NotWritten | None:
    """A full disk that was met elsewhere than here, said in one line; None for any other error.

    Args:
        error: as raised.
        folder: that was written to, where the error does not say.
    """
    if error.errno not in FULL:
        return None
    place = Path(str(error.filename)) if error.filename else folder
    return NotWritten(f"{place}: {error.strerror}; {_free(place)}")


def _clean_once(folder: Path) -> None:
    """Remove what killed processes left; once, because looking through a folder at each write is quadratic."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    for left in folder.glob(PART):
        try:
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()
        except FileNotFoundError:  # another process was faster
            continue


def _said(path: Path, error: OSError, needed: int) -> str:
    reason = error.strerror or str(error)
    return f"{path}: {reason}; {needed:,} bytes are needed, {_free(path)}. What was there before is intact"


def _free(path: Path) -> str:
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return f"{shutil.disk_usage(place).free:,} are free"
    except OSError:
        return "the free space is unknown"


@lru_cache(maxsize=1)
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
