"""Parse and check the lines of a run's journal, which a disk or a person may have damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeGuard

# A line of a large configuration has some 100 kB.
MAX_LINE_BYTES = 16 * 2**20
# So that a record of many epochs that waits is not taken into memory at once.
MAX_BATCH_ENTRIES = 1000
DAMAGED = "damaged"
STATUSES = ("FINISHED", "FAILED", "KILLED")
# Of the run in the store, to find it again.
RUN_KEY = "run_key"


class DamagedEntry(Exception):
    """An invalid line of the journal; the text says what is wrong with it."""


@dataclass(frozen=True)
class EntryBatch:
    """Neighbouring entries of one operation, and the offset in the journal after them.

    Of operation :data:`DAMAGED`, the entry has the offset and the reason.
    """

    operation: str
    entries: list[dict[str, Any]]
    end: int


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return _is_integer(value) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    # What a 64-bit float holds.
    return isinstance(value, float) or (_is_integer(value) and abs(value) < 2**1023)


def _all(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _is_start(value: object) -> bool:
    return _all(_is_text)(value) and isinstance(value, dict) and RUN_KEY in value


def _is_status(value: object) -> bool:
    return value in STATUSES


FIELDS: dict[str, dict[str, Callable[[object], bool]]] = {
    "start": {"experiment": _is_text, "name": _is_text, "tags": _is_start},
    "resume": {},
    "params": {"values": _all(_is_text)},
    "tags": {"values": _all(_is_text)},
    "metrics": {"values": _all(_is_number), "step": _is_whole},
    "artifacts": {},
    "register": {"name": _is_text},
    "finish": {"status": _is_status},
}


def read_entry(line: bytes) -> dict[str, Any]:
    """Parse one line to its entry.

    Args:
        line: with or without its end.

    Raises:
        DamagedEntry: it is none.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise DamagedEntry("not readable as JSON") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("op"), str) or entry["op"] not in FIELDS:
        raise DamagedEntry("not an entry of a record")
    wrong = [key for key, check in {"time": _is_whole, **FIELDS[entry["op"]]}.items() if not check(entry.get(key))]
    if wrong or entry["time"] < 0:
        raise DamagedEntry(f"{entry['op']}: no usable {', '.join(wrong) or 'time'}")
    return entry


def read_batches(journal: BinaryIO, offset: int) -> Iterator[EntryBatch]:
    """Read the entries from an offset on, in batches; an unfinished last line is left for later.

    Args:
        journal: open at the offset.
        offset: bytes.
    """
    operation = ""
    entries: list[dict[str, Any]] = []
    for line, length in _lines(journal):
        entry = _entry(line, offset)
        if entries and (entry["op"] != operation or len(entries) == MAX_BATCH_ENTRIES):
            yield EntryBatch(operation, entries, offset)
            entries = []
        operation = entry["op"]
        entries.append(entry)
        offset += length
    if entries:
        yield EntryBatch(operation, entries, offset)


def _entry(line: bytes | None, offset: int) -> dict[str, Any]:
    reason = f"longer than {MAX_LINE_BYTES:,} bytes"
    if line is not None:
        try:
            return read_entry(line)
        except DamagedEntry as damage:
            reason = str(damage)
    return {"op": DAMAGED, "byte": offset, "reason": reason}


def _lines(journal: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Complete lines and their lengths in bytes; None for a line that is too long to be one of ours."""
    while line := journal.readline(MAX_LINE_BYTES):
        length, ended = len(line), line.endswith(b"\n")
        if ended:
            yield line, length
            continue
        while more := journal.readline(MAX_LINE_BYTES):
            length, ended = length + len(more), more.endswith(b"\n")
            if ended:
                yield None, length
                break
        if not ended:
            return
