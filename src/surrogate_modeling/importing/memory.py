"""Memory that importing a file takes, against what is there."""

from __future__ import annotations

import os
from collections.abc import Sequence

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.segmentation import Cutting
from surrogate_modeling.importing.sources import SourceFile

# A file's rows as float64, a copy while they are cleaned and one while they are written, in times of its size.
TIMES_OF_FILE = 4


def available_bytes() -> int | None:
    """Free memory of the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def needed_bytes(file: SourceFile) -> int:
    """Memory that a file takes which becomes one case."""
    return file.unpacked_bytes() * TIMES_OF_FILE


def require_room(file: SourceFile, cutting: Cutting) -> None:
    """Refuse a file that would become one case larger than the memory.

    Raises:
        BadFile: it does not fit.
    """
    available = available_bytes()
    if available is not None and not cutting.active and needed_bytes(file) > available:
        raise BadFile(
            str(file),
            f"{file.unpacked_bytes() / 1e9:.1f} GB as one case need {needed_bytes(file) / 1e9:.0f} GB of memory, "
            f"{available / 1e9:.0f} are free; cases_by=<seconds>, gaps or a column cuts it while it is read",
        )


def workers_for(files: Sequence[SourceFile], workers: int) -> int:
    """How many of the largest files fit into memory at once, at most ``workers``."""
    available = available_bytes()
    if available is None:
        return workers
    largest = max((needed_bytes(file) for file in files), default=1)
    return max(1, min(workers, int(available // max(largest, 1))))
