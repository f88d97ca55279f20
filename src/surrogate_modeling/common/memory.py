"""Memory of this process: what it may take, the most it held, and what was freed back to the operating system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

# Where Linux shows the system's memory and the limits of control groups; of each kind of group: its folder, the file
# of its limit, and the line of memory.stat that counts what cannot be dropped.
MEMINFO, GROUPS, OWN_GROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
KINDS = {"": ("", "memory.max", "anon"), "memory": ("memory", "memory.limit_in_bytes", "rss")}


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


def available_memory() -> int | None:
    """Memory that this process may still take [bytes], by the system and its control group; None where none says."""
    found: list[int] = []
    with suppress(OSError, ValueError, KeyError):
        found.append(1024 * int(_fields(MEMINFO)["MemAvailable:"]))
    with suppress(OSError, ValueError):
        for line in OWN_GROUPS.read_text().splitlines():
            _, names, path = line.split(":", 2)
            if names in KINDS:
                folder, limit, taken = KINDS[names]
                found += _left_of(GROUPS / folder / path.lstrip("/"), limit, taken)
    return max(0, min(found)) if found else None


def _left_of(group: Path, limit: str, taken: str) -> list[int]:
    """What a control group and those above it leave [bytes]; none where they set no limit."""
    left = []
    for folder in (group, *group.parents):
        if folder == GROUPS.parent:
            break
        with suppress(OSError, ValueError, KeyError):
            left.append(int((folder / limit).read_text()) - int(_fields(folder / "memory.stat")[taken]))
    return left


def _fields(file: Path) -> dict[str, str]:
    """The first two words of each line."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: words[1] for words in lines if len(words) > 1}
