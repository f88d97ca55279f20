"""Safe file names for columns and cases, whose own names may hold slashes, dots, spaces and any script."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from itertools import count

# Characters that file systems forbid, or that change a tracking server's address: # ends it, and %41 is read as A.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#]|%(?=[0-9A-Fa-f]{2})')
# Names of devices on Windows.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MAX_NAME_BYTES = 80


def _encodable(name: str) -> str:
    """The name with ``_`` for characters that the file system's encoding lacks (ASCII in the C locale)."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return name.encode("ascii", "replace").decode().replace("?", "_")
    return name


def file_names(names: Iterable[str]) -> dict[str, str]:
    """File name of each name: the name itself where it is safe, else a changed one with a short digest.

    Two names never share a file, not even on a file system that ignores case; no result leaves its folder.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
        while len(safe.encode()) > MAX_NAME_BYTES:
            safe = safe[:-1]
        if RESERVED.fullmatch(safe):
            safe = f"_{safe}"
        safe = _encodable(safe)
        if not safe or safe != name or safe.casefold() in taken:
            digest = hashlib.sha256(name.encode()).hexdigest()
            # Eight digits suffice, unless a name ends in the digest of another.
            choices = (f"{safe}~{digest[:8]}{f'-{n}' if n else ''}" for n in count())
            safe = next(choice for choice in choices if choice.casefold() not in taken)
        taken.add(safe.casefold())
        given[name] = safe
    return given
