"""Paths of the project and the user's cache, and file names that several packages share."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path

import platformdirs

from surrogate_modeling.common.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parents[3]
CONFIG_DIR = PROJECT_ROOT / "hydra"
# The saved surrogate in a run's folder.
MODEL_FILE = "lit_model.pth"
NAME = "surrogate_modeling"


def expanded(path: str | Path, key: str) -> Path:
    """A path as the user gave it, with ``~`` and ``~name`` replaced by the home folder.

    Args:
        path: as given.
        key: of the configuration that gave it, for the message.

    Raises:
        UserError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{key}={path}: there is no such home folder; give the whole path") from None


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """The user's folder for caches, which can be made again, and for lock files, which last as long as a process.

    It is the system's usual one (on Linux ``~/.cache``, moved by ``XDG_CACHE_HOME``), never in the project, which may
    be read-only or another user's. Where it cannot be written, as for a container's user without a home, a private
    folder among the temporary files replaces it.

    Raises:
        UserError: neither can be written by this user alone.
    """
    usual = Path(platformdirs.user_cache_dir(NAME, appauthor=False))
    if usual.is_absolute() and _is_writable(usual):
        return usual
    number = os.getuid() if hasattr(os, "getuid") else "user"
    private = Path(tempfile.gettempdir()) / f"{NAME}-{number}"
    if _is_writable(private, 0o700) and _is_private(private):
        return private
    raise UserError(f"{usual}: caches and locks cannot be kept there; set XDG_CACHE_HOME to a folder of your own")


def _is_writable(folder: Path, mode: int = 0o777) -> bool:
    """Whether files can be made in the folder, which is made where it is missing."""
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_private(folder: Path) -> bool:
    """Whether no other user can write to the folder: cached code in it is executed."""
    status = folder.lstat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
