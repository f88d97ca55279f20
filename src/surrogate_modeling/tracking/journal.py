"""The record of a run on disk: what is to be sent to the tracking store, and how far it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from surrogate_modeling.common.atomic_file import append_whole, write_whole
from surrogate_modeling.common.errors import UserError

JOURNAL, STATE, LOCK, RESERVE = "tracking.jsonl", "tracking.state.json", "run.lock", "tracking.reserve"
# The last lines of a run that a full disk ended, and where they were sent to.
RESERVED_BYTES = 64 * 1024


def append(folder: Path, entry: dict[str, Any]) -> None:
    """Add one line, on the disk before a checkpoint that counts on it.

    Raises:
        NotWritten: the journal is as it was.
    """
    append_whole(folder / JOURNAL, (json.dumps(entry) + "\n").encode())


def keep_reserve(folder: Path) -> None:
    """Take room on the disk that :func:`release_reserve` gives back.

    Raises:
        NotWritten: there is none; better now than in the middle of the run.
    """
    if not (folder / RESERVE).exists():
        write_whole(folder / RESERVE, os.urandom(RESERVED_BYTES))


def release_reserve(folder: Path) -> bool:
    """Make room for the last lines; whether there was a reserve."""
    try:
        (folder / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True


def read_state(folder: Path) -> dict[str, Any]:
    """How far the journal was sent, and the run's id once it has one."""
    path = folder / STATE
    return json.loads(path.read_text()) if path.exists() else {"sent": 0, "run_id": None}


def grouped(journal: Any, offset: int) -> Iterator[tuple[str, list[dict[str, Any]], int]]:
    """Neighbouring entries of one kind, with the offset after them; a line without its end is not there yet."""
    operation = ""
    entries: list[dict[str, Any]] = []
    for line in journal:
        if not line.endswith(b"\n"):
            break
        entry = json.loads(line)
        if entries and entry["op"] != operation:
            yield operation, entries, offset
            entries = []
        operation = entry["op"]
        entries.append(entry)
        offset += len(line)
    if entries:
        yield operation, entries, offset


def locked(folder: Path) -> FileLock:
    """The run's lock, taken.

    Raises:
        UserError: another process has it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{folder}: another process is at work on this run") from None
    return lock


def drop_half_line(journal: Path) -> None:
    """Cut off a line whose writing was interrupted; it never counted."""
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)


def recorded_tags(folder: Path) -> dict[str, str] | None:
    """Tags with which a run's record begins, or None where there is no record."""
    journal = folder / JOURNAL
    if not journal.exists():
        return None
    with journal.open(encoding="utf-8") as file:
        return json.loads(file.readline())["tags"]


def find_run(wanted: str, root: Path) -> Path:
    """The folder of a run that can go on.

    Args:
        wanted: ``last``, a folder, or a run's id in the store.
        root: where run folders are.

    Raises:
        UserError: there is none.
    """
    try:
        folder = Path(wanted).expanduser()
        if (folder / JOURNAL).exists():
            return folder
    # A user without a home, a name that is too long: no run bears such a name.
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"resume={wanted}: {getattr(error, 'strerror', None) or error}") from None
    kept = sorted((path.parent for path in root.rglob(JOURNAL)), key=lambda path: (path / JOURNAL).stat().st_mtime)
    chosen = kept[-1:] if wanted == "last" else [path for path in kept if read_state(path)["run_id"] == wanted]
    if not chosen:
        known = ", ".join(map(str, kept)) or "none"
        raise UserError(f"resume={wanted}: no such run in {root}; runs that can go on: {known}")
    return chosen[0]


def is_sent(folder: Path) -> bool:
    """Whether the whole journal reached the store."""
    return read_state(folder)["sent"] == (folder / JOURNAL).stat().st_size
