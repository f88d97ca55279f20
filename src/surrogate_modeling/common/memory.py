"""Memory of this process: return what was freed to the operating system, and the most it held."""

from __future__ import annotations

import ctypes
import sys


def give_back_freed_memory() -> None:
    """Return memory freed by Arrow, which reads case files, and by the C library (glibc) to the operating system.

    The latter keeps what was freed below any block still in use: after scoring hundreds of cases that is half a
    gigabyte, which the processes that draw figures, or the next run of a comparison, could use.
    """
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_memory() -> int | None:
    """Most memory that this process held so far [bytes]; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
