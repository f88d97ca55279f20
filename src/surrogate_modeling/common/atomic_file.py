"""Atomic writes: a file is written under a temporary name, then renamed; a line is appended in full or not at all."""

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

# A temporary file this old [s] is left from a killed process; another process may still be writing a younger one.
STALE_AFTER = 3600.0
TEMPORARY_PATTERN = f".{'[0-9a-f]' * 12}.*.part"
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
_cleaned: set[Path] = set()


class NotWritten(UserError):
    """A file could not be written; its former content is intact."""


def write_atomic(path: Path, content: bytes | memoryview, durable: bool = True) -> None:
    """Write a file in full or not at all, also when several processes write it at the same time.

    Args:
        path: its folder is made where there is none.
        content: all of the file.
        durable: wait until the content is on the disk, so that it survives a power cut; False for files that no later
            run reads, such as figures.

    Raises:
        NotWritten: full disk, quota, permissions; with the path and the bytes needed and free.
    """
    # A digest instead of the name: a longer prefix could exceed the file system's limit on file names.
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
        # mkstemp makes private files; the file gets the permissions of any other file of its user.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException as error:
        if part is not None:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise NotWritten(_message(path, error, memoryview(content).nbytes)) from None
        raise


def append_atomic(path: Path, content: bytes) -> None:
    """Append a line to a file in full or not at all; it is on the disk when this returns.

    Args:
        path: of the file.
        content: one line, with its line end.

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
                # Only an incomplete line is removed: another process may have read a complete one.
                if left:
                    file.truncate(before)
    except OSError as error:
        raise NotWritten(_message(path, error, len(content))) from None


def full_disk(error: OSError, folder: Path) -> NotWritten | None:
    """The one-line error for a full disk, from an error that was raised elsewhere; None for any other error.

    Args:
        error: as raised.
        folder: named in the message if the error names no file.
    """
    if error.errno not in DISK_FULL_ERRNOS:
        return None
    place = Path(str(error.filename)) if error.filename else folder
    return NotWritten(f"{place}: {error.strerror}; {_free(place)}")


def _clean_once(folder: Path) -> None:
    """Remove the temporary files of killed processes, once per folder: a listing at each write would be quadratic."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    for left in folder.glob(TEMPORARY_PATTERN):
        try:
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()
        except FileNotFoundError:  # another process was faster
            continue


def _message(path: Path, error: OSError, needed: int) -> str:
    reason = error.strerror or str(error)
    room = f"; {needed:,} bytes are needed, {_free(path)}" if error.errno in (*DISK_FULL_ERRNOS, errno.EFBIG) else ""
    return f"{path}: {reason}{room}. What was there before is intact"


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
