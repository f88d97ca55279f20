"""Raw samples -> an even time grid, by linear interpolation."""

from __future__ import annotations

import numpy as np

# A grid point this close to the last sample (in steps) counts as reached: t0 + k d is rarely exact in binary.
GRID_TOLERANCE = 1e-6


def decimate(time: np.ndarray, values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate linearly on the grid t0, t0 + d, t0 + 2d, ... up to the last time reached.

    Args:
        time: (T,) strictly increasing [s].
        values: (T, F).
        step: d [s].

    Returns:
        Grid (K,) float64, computed as t0 + k d, and the values on it (K, F) float32.
    """
    # A clock that counts from 1970 resolves 2e-7 s only: its own rounding must not cost the last point either.
    rounding = 2 * np.spacing(max(abs(time[0]), abs(time[-1]))) / step
    count = int(np.floor((time[-1] - time[0]) / step + GRID_TOLERANCE + min(rounding, 0.1))) + 1
    grid = time[0] + step * np.arange(count)
    left = np.clip(np.searchsorted(time, grid, side="right") - 1, 0, len(time) - 2)
    weight = np.clip((grid - time[left]) / (time[left + 1] - time[left]), 0.0, 1.0)[:, None]
    start = values[left]
    return grid, (start + weight * (values[left + 1] - start)).astype(np.float32)
