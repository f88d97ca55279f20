"""Files that are whole or absent: written beside their final name, flushed to the disk, then renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from surrogate_modeling.config import UserError

# A part this old [s] was left by a process that was killed; a younger one may still be written by another.
STALE_AFTER = 3600.0


class NotWritten(UserError):
    """A file could not be written; what was there before is intact."""


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time.

    Args:
        path: its folder is made where there is none.
        content: all of the file.

    Raises:
        NotWritten: full disk, quota, permissions; with the path and the bytes needed and free.
    """
    # Of the name only a digest: with more than that a long one would pass the file system's limit.
    prefix = f".{hashlib.sha256(path.name.encode()).hexdigest()[:12]}."
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clean(path.parent, prefix)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
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


def _clean(folder: Path, prefix: str) -> None:
    for left in folder.glob(f"{prefix}*.part"):
        try:
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()
        except FileNotFoundError:  # another process was faster
            continue


def _said(path: Path, error: OSError, needed: int) -> str:
    try:
        free = f"{shutil.disk_usage(path.parent).free:,} are free"
    except OSError:
        free = "the free space is unknown"
    reason = error.strerror or str(error)
    return f"{path}: {reason}; {needed:,} bytes are needed, {free}. What was there before is intact"


@lru_cache(maxsize=1)
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
