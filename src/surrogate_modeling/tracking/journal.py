"""Journal of a run on disk: entries to be sent to the tracking store, and the offset up to which they were sent."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, TypedDict

from filelock import FileLock, Timeout

from surrogate_modeling.common.atomic_file import append_atomic, write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.entries import MAX_LINE_BYTES, DamagedEntry, read_entry

log = logging.getLogger(__name__)
JOURNAL, STATE, LOCK, RESERVE = "tracking.jsonl", "tracking.state.json", "run.lock", "tracking.reserve"
# What the store refused, or what could not be read, with the reason: a line each.
REFUSED = "tracking.refused.jsonl"
# The last lines of a run that a full disk ended, and where they were sent to.
RESERVED_BYTES = 64 * 1024
MAX_STATE_BYTES = 64 * 1024
BLOCK = 64 * 1024


class SendState(TypedDict):
    """Offset up to which a journal was sent [bytes], and the run's id in the store once it has one."""

    sent: int
    run_id: str | None


def append(folder: Path, entry: dict[str, Any]) -> None:
    """Append one line and flush it to the disk, before a checkpoint that depends on it.

    Raises:
        NotWritten: the journal is as it was.
    """
    append_atomic(folder / JOURNAL, (json.dumps(entry) + "\n").encode())


def set_aside(folder: Path, entry: dict[str, Any], reason: str) -> None:
    """Keep a line that the store refused in a file beside the journal, with the reason.

    Raises:
        NotWritten: disk full.
    """
    append_atomic(folder / REFUSED, (json.dumps({**entry, "reason": reason}, ensure_ascii=False) + "\n").encode())


def keep_reserve(folder: Path) -> None:
    """Reserve disk space that :func:`release_reserve` gives back.

    Raises:
        NotWritten: there is none; better now than in the middle of the run.
    """
    if not (folder / RESERVE).exists():
        write_atomic(folder / RESERVE, os.urandom(RESERVED_BYTES))


def release_reserve(folder: Path) -> bool:
    """Free the reserved disk space for the last lines; returns whether there was any."""
    try:
        (folder / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True


def read_state(folder: Path) -> SendState:
    """Read how far the journal was sent; from the beginning where that is lost: a repeated line does no harm."""
    path = folder / STATE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_STATE_BYTES)
        state = json.loads(content)
        sent, run_id = state["sent"], state["run_id"]
        if type(sent) is not int or not isinstance(run_id, str | None) or not _is_line_end(folder / JOURNAL, sent):
            raise ValueError("not a place in the journal")
    except FileNotFoundError:
        return SendState(sent=0, run_id=None)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("%s: damaged (%s); the record is sent from its beginning", path, error)
        return SendState(sent=0, run_id=None)
    return SendState(sent=sent, run_id=run_id)


def _is_line_end(journal: Path, offset: int) -> bool:
    """Whether a line of the journal ends before the offset, or the journal begins there."""
    if offset <= 0:
        return offset == 0
    with journal.open("rb") as file:
        file.seek(offset - 1)
        return file.read(1) == b"\n"


def locked(folder: Path) -> FileLock:
    """Hold the run's lock.

    Raises:
        UserError: another process has it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{folder}: another process is at work on this run") from None
    return lock


def is_locked(folder: Path) -> bool:
    """Whether a process is at work on the run."""
    try:
        locked(folder).release()
    except UserError:
        return True
    return False


def drop_half_line(journal: Path) -> None:
    """Cut off a line whose writing was interrupted."""
    with journal.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            if (found := file.read(end - start).rfind(b"\n")) >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)


def recorded_tags(folder: Path) -> dict[str, str] | None:
    """Tags that a run's record begins with, or None where there is no record.

    Raises:
        UserError: the file does not begin like a record.
    """
    journal = folder / JOURNAL
    if not journal.exists():
        return None
    with journal.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES)
    try:
        entry = read_entry(line)
        if entry["op"] != "start":
            raise DamagedEntry(f"{entry['op']} comes first")
    except DamagedEntry as damage:
        raise UserError(
            f"{journal}: line 1 is not the start of a run ({damage}); the run cannot be sent or go on. "
            "Its other files are as they were"
        ) from None
    return entry["tags"]


def ended_as(folder: Path) -> str | None:
    """Status that a record ends with; None where it does not end."""
    with (folder / JOURNAL).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - BLOCK))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return read_entry(last).get("status")
    except DamagedEntry:
        return None


def find_run(reference: str, root: Path, key: str = "resume") -> Path:
    """Find the folder of a run that can be resumed.

    Args:
        reference: ``last``, a folder, or a run's id in the store.
        root: where run folders are.
        key: that named the run, for messages.

    Raises:
        UserError: there is none.
    """
    try:
        folder = Path(reference).expanduser()
        if (folder / JOURNAL).exists():
            return folder
    # A user without a home, a name that is too long: no run bears such a name.
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{key}={reference}: {getattr(error, 'strerror', None) or error}") from None
    kept = sorted((path.parent for path in root.rglob(JOURNAL)), key=lambda path: (path / JOURNAL).stat().st_mtime)
    chosen = kept[-1:] if reference == "last" else [path for path in kept if read_state(path)["run_id"] == reference]
    if not chosen:
        known = ", ".join(map(str, kept)) or "none"
        raise UserError(f"{key}={reference}: no such run in {root}; runs whose record is there: {known}")
    return chosen[0]


def is_sent(folder: Path) -> bool:
    """Whether the whole journal was sent; refused lines are set aside."""
    return read_state(folder)["sent"] == (folder / JOURNAL).stat().st_size
