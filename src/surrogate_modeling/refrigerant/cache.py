"""The user's cache folder: fluid tables and compiled code, both keyed by what they were made from."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def cache_folder() -> Path:
    """Folder for files that can be rebuilt at any time; ``XDG_CACHE_HOME`` moves it."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "surrogate_modeling"


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Digest of this package's sources.

    numba's own cache only looks at the file a function is written in, so an edit of a function it calls in
    another module would go unnoticed; a folder per digest of all sources cannot be stale.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
