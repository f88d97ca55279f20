"""On-disk cache of decimated cases, which the next run or trial reads in a fraction of a millisecond.

An entry is found by the file's identity (path, size, times of change) and the decimation, and holds a digest of the
file's content. Entries are written whole (rename) and carry a checksum: a damaged or half-written one counts as absent.
The folder may be deleted at any time, and any number of processes may fill it at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.cases.grid import GridCase
from surrogate_modeling.cases.sampling import SamplingLoss
from surrogate_modeling.common.atomic_file import NotWritten, write_atomic

log = logging.getLogger(__name__)
FORMAT = "case-cache-6"
MAX_CHECKSUM_BYTES, MAX_HEADER_BYTES = 64, 16_000_000
# Statistics stored per column beside its values: smallest, largest, and those of SamplingLoss.
STATISTICS_PER_COLUMN = 2 + len(fields(SamplingLoss))


def entry_path(folder: Path, case_file: Path, decimation: str, ignore: Collection[str] = ()) -> Path:
    """Path of a file's cache entry; another content, place, decimation or choice of columns gives another path."""
    status = case_file.stat()
    identity = [FORMAT, str(case_file.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, decimation]
    identity += sorted(ignore)
    return folder / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:40]}.case"


def load_entry(path: Path) -> GridCase | None:
    """Load a cached case; None if there is none or it is damaged."""
    try:
        with path.open("rb") as file:
            checksum, head = file.readline(MAX_CHECKSUM_BYTES), file.readline(MAX_HEADER_BYTES)
            header = _checked_header(head)
            rows, columns = header["rows"], len(header["names"])
            size = 8 * rows + 4 * rows * columns + 8 * STATISTICS_PER_COLUMN * columns
            # Checked before memory is allocated for it.
            if path.stat().st_size != len(checksum) + len(head) + size:
                raise ValueError("the size is not that of its rows")
            body = file.read(size)
        if checksum != _checksum(head + body):
            raise ValueError("checksum")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("cached case %s is damaged (%s); it is made again", path, error)
        return None
    # A view would keep the whole content in memory after the values are no longer needed.
    time = np.frombuffer(body, np.float64, rows).copy()
    values = np.frombuffer(body, np.float32, rows * columns, offset=8 * rows).reshape(rows, columns)
    low, high, *lost = np.frombuffer(body, np.float64, offset=8 * rows + 4 * rows * columns).reshape(-1, columns).copy()
    names, units = tuple(header["names"]), tuple(header["units"])
    loss, numbers, ignored = SamplingLoss(*lost), tuple(header["numbers"]), tuple(header["ignored"])
    return GridCase(names, units, time, values, low, high, header["raw_step"], loss, header["digest"], numbers, ignored)


def _checked_header(head: bytes) -> dict[str, Any]:
    """Parse and check the first line of an entry.

    Raises:
        ValueError: it is not one that :func:`save_entry` writes.
    """
    header = json.loads(head)
    keys = {"names", "units", "rows", "raw_step", "digest", "numbers", "ignored"}
    if not isinstance(header, dict) or set(header) != keys:
        raise ValueError("the header has other keys")
    names, units, rows = header["names"], header["units"], header["rows"]
    numbers, texts = header["numbers"], [names, units, header["ignored"], [header["digest"]]]
    if not all(isinstance(part, list) and all(isinstance(text, str) for text in part) for part in texts):
        raise ValueError("names, units and digest must be texts")
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise ValueError("the numbers of its columns must be integers")
    if (
        not len(names) == len(units) == len(numbers)
        or not isinstance(rows, int)
        or rows < 1
        or not isinstance(header["raw_step"], float)
    ):
        raise ValueError("the numbers in its header are impossible")
    return header


def _checksum(content: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(content)


def save_entry(path: Path, case: GridCase) -> None:
    """Write a cache entry atomically; if the disk is full the entry is skipped with a warning."""
    statistics = np.vstack((case.low, case.high, case.loss.table)).astype(np.float64)
    header = {
        "names": case.names,
        "units": case.units,
        "rows": len(case.time),
        "raw_step": case.raw_step,
        "digest": case.digest,
        "numbers": case.numbers,
        "ignored": case.ignored,
    }
    parts = case.time.astype(np.float64), np.ascontiguousarray(case.values, np.float32), statistics
    content = json.dumps(header).encode() + b"\n" + b"".join(part.tobytes() for part in parts)
    try:
        write_atomic(path, _checksum(content) + content)
    except NotWritten as error:
        log.warning("could not cache: %s; it will be read again next time", error)
