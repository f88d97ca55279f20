"""File names from names that users gave: columns and cases may hold slashes, dots, spaces and any script."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 80


def file_names(names: Iterable[str]) -> dict[str, str]:
    """A name for the file system for each name: as written where that is safe, else with a short digest.

    Two names never share a file, not even on a file system that ignores case; no result leaves its folder.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
        while len(safe.encode()) > LONGEST:
            safe = safe[:-1]
        if safe != name or RESERVED.fullmatch(safe) or safe.lower() in taken:
            safe = f"{safe}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        taken.add(safe.lower())
        given[name] = safe
    return given
