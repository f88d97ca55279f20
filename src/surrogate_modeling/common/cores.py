"""The cores that this process may use."""

from __future__ import annotations

# As joblib reads it: a search that runs several trials on a machine gives each its part.
CORES_VARIABLE = "LOKY_MAX_CPU_COUNT"


def cores() -> int:
    """Cores for this process: of the machine, less what its affinity, its container or ``CORES_VARIABLE`` take away."""
    from joblib import cpu_count

    return max(1, int(cpu_count()))
