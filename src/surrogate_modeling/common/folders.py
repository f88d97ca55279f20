"""Remove empty folders."""

from __future__ import annotations

from pathlib import Path


def remove_empty(folder: Path, levels: int = 1) -> None:
    """Remove a folder and its parents as far as they are empty.

    Args:
        folder: to begin with; it may be gone already.
        levels: how many folders at most.
    """
    for path in (folder, *folder.parents)[:levels]:
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return
