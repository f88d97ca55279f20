"""Make names and texts valid for MLflow, keep them distinct, and note the changes.

MLflow takes letters and digits of any script, ``_``, ``-``, ``.``, space, and ``/`` between parts that are neither
empty nor ``.``, nor begin with ``..``, up to 250 characters (``mlflow/utils/validation.py``); on Windows no ``:``.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from surrogate_modeling.common.atomic_file import write_atomic

# Names that are recorded under another one, among a run's files.
RENAMED = "metric_names.json"
MAX_NAME_LETTERS = 250
DIGEST_LETTERS = 8


class SafeNames:
    """Valid names for MLflow of the names of a run.

    A name that the store takes stays as it is. In others each unsafe letter becomes ``_``; where two names would become
    one, the parts that changed get a digest of what they were, so that ``p[1]/ADE_mean`` and ``p(1)/ADE_mean`` stay
    two.

    Args:
        folder: of the run, where names that had to change are noted, for the reader and for the run that goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / RENAMED
        self._known = read_renamed(self.file)
        self._taken = set(self._known.values())

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Recorded name of each name; independent of the order of the names of one call.

        Args:
            names: as users and the other rooms call them.
        """
        names = list(names)
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        plain = {name: _safe(name) for name in new}
        alike = Counter(plain.values())
        # A name as written comes before all that would change into it.
        for name in sorted(new, key=lambda name: plain[name] != name):
            safe = plain[name]
            if safe in self._taken or (safe != name and alike[safe] > 1):
                safe = self._told_apart(name)
            self._known[name] = safe
            self._taken.add(safe)
        if any(self._known[name] != name for name in new):
            self._note()
        return {name: self._known[name] for name in names}

    def _note(self) -> None:
        changed = {name: safe for name, safe in self._known.items() if safe != name}
        text = json.dumps(changed, ensure_ascii=False, indent=1)
        # A name may hold half a letter, from a file system that does not say its encoding.
        write_atomic(self.file, text.encode("utf-8", "surrogatepass"))

    def _told_apart(self, name: str) -> str:
        marked = _safe(name, marked=True)
        choices = (f"{marked}{f'-{n}' if n else ''}" for n in count())
        return next(choice for choice in choices if choice not in self._taken)


def read_renamed(file: Path) -> dict[str, str]:
    """Read the names that changed, with what they became; an invalid file, which is made again, has none."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    pairs = content.items() if isinstance(content, dict) else ()
    return {name: safe for name, safe in pairs if isinstance(safe, str) and _safe(safe) == safe}


def _safe(name: str, marked: bool = False) -> str:
    """Make the name valid part by part; ``marked`` puts a digest behind each part that changed."""
    parts = name.split("/")
    # Room for a number behind the name.
    longest = MAX_NAME_LETTERS - 4
    room = (longest - len(parts) + 1) // len(parts) if len(name) > longest else longest
    if room <= DIGEST_LETTERS + 1:
        return f"{_part(name[:100].replace('/', '_'), 100, False)}-{_digest(name)}"
    return "/".join(_part(part, room, marked) for part in parts)


def _part(part: str, room: int, marked: bool) -> str:
    letters = unicodedata.normalize("NFC", part)
    safe = "".join(letter if letter.isalnum() or letter in "_-. " else "_" for letter in letters)
    if safe in ("", ".") or safe.startswith(".."):
        safe = f"_{safe[2:]}"
    if len(safe) > room or (marked and safe != part):
        safe = f"{safe[: room - DIGEST_LETTERS - 1]}-{_digest(part)}"
    return safe


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LETTERS]


def storable(text: str, longest: int | None = None) -> str:
    """Make a text that every store takes: no NUL, no unpaired surrogates, and cut at its limit.

    Args:
        text: any.
        longest: characters; None for no limit.
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:longest]
