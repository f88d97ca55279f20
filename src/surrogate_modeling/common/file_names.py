"""File names from names that users gave: those of columns and cases may hold slashes, dots, spaces and any script."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from itertools import count

# To a tracking server a file's name is part of an address: # would end it, and %41 be read as A.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#]|%(?=[0-9A-Fa-f]{2})')
# Of devices, on Windows.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_BYTES = 80


def _encodable(name: str) -> str:
    """The name, ``_`` for what the file system's encoding lacks (ASCII in the C locale)."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return name.encode("ascii", "replace").decode().replace("?", "_")
    return name


def file_names(names: Iterable[str]) -> dict[str, str]:
    """A name for the file system for each name: as written where that is safe, else with a short digest.

    Two names never share a file, not even on a file system that ignores case; no result leaves its folder.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
        while len(safe.encode()) > LONGEST_BYTES:
            safe = safe[:-1]
        if RESERVED.fullmatch(safe):
            safe = f"_{safe}"
        safe = _encodable(safe)
        if not safe or safe != name or safe.casefold() in taken:
            digest = hashlib.sha256(name.encode()).hexdigest()
            # Eight digits do, unless somebody made a name that ends in the digest of another.
            choices = (f"{safe}~{digest[:8]}{f'-{n}' if n else ''}" for n in count())
            safe = next(choice for choice in choices if choice.casefold() not in taken)
        taken.add(safe.casefold())
        given[name] = safe
    return given
