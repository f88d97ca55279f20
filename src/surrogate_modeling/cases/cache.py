"""Decimated cases kept on disk, so that the next run and the next trial read them in a fraction of a millisecond.

An entry is found by the file's identity (path, size, times of change) and the decimation, and holds a digest of the
file's content. Entries are written whole (rename) and carry a checksum: a damaged or half-written one counts as absent.
The folder may be deleted at any time, and any number of processes may fill it at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.grid import GridCase
from surrogate_modeling.common.atomic_file import NotWritten, write_whole

log = logging.getLogger(__name__)
FORMAT = "case-cache-3"


def entry_path(folder: Path, case_file: Path, decimation: str) -> Path:
    """Where the entry of a file lies; another content, place or decimation gives another path."""
    status = case_file.stat()
    identity = [FORMAT, str(case_file.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, decimation]
    return folder / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:40]}.case"


def load_entry(path: Path) -> GridCase | None:
    """The cached case, or None when there is none that can be trusted."""
    try:
        with path.open("rb") as file:
            checksum, content = file.readline(), file.read()
        # Before anything is believed: a name or a unit can be damaged too.
        if checksum != _checksum(content):
            raise ValueError("checksum")
        head, body = content.split(b"\n", maxsplit=1)
        header = json.loads(head)
        rows, columns = header["rows"], len(header["names"])
        # Copied, else it would keep the whole content in memory when the values are no longer needed.
        time = np.frombuffer(body, np.float64, rows).copy()
        values = np.frombuffer(body, np.float32, rows * columns, offset=8 * rows).reshape(rows, columns)
        low, high = np.array(header["low"]), np.array(header["high"])
        return GridCase(tuple(header["names"]), tuple(header["units"]), time, values, low, high, header["digest"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("cached case %s is damaged (%s); it is made again", path, error)
        return None


def _checksum(content: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(content)


def save_entry(path: Path, case: GridCase) -> None:
    """Write the entry whole or not at all; a disk that is full costs the cache, not the run."""
    body = case.time.astype(np.float64).tobytes() + np.ascontiguousarray(case.values, np.float32).tobytes()
    header = {
        "names": case.names,
        "units": case.units,
        "rows": len(case.time),
        "low": case.low.tolist(),
        "high": case.high.tolist(),
        "digest": case.digest,
    }
    content = json.dumps(header).encode() + b"\n" + body
    try:
        write_whole(path, _checksum(content) + content)
    except NotWritten as error:
        log.warning("could not cache: %s; it will be read again next time", error)
