"""Random shapes of control signals that the embedded simulator's schedules and planned inputs share."""

from __future__ import annotations

import numpy as np


def segments(rng: np.random.Generator, rows: int, length: tuple[float, float], step: float) -> np.ndarray:
    """Start rows of segments of random length, the last of them at or after the last row.

    Args:
        rng: random stream.
        rows: of the signal.
        length: shortest and longest [s].
        step: between rows [s].
    """
    starts, row = [0], 0
    while row < rows:
        row += max(round(rng.uniform(*length) / step), 1)
        starts.append(row)
    return np.array(starts)


def steps(
    rng: np.random.Generator, rows: int, values: tuple[float, float], length: tuple[float, float], step: float
) -> np.ndarray:
    """Levels (rows,) drawn from a range, each held for a random length; arguments as of :func:`segments`."""
    starts = segments(rng, rows, length, step)
    levels = rng.uniform(*values, size=starts.size - 1)
    return np.repeat(levels, np.diff(starts))[:rows]


def sum_of_sines(weights: np.ndarray, periods: np.ndarray, phases: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Sum (T,) of sines with their weights, periods [s] and phases [rad] at ``time`` (T,) [s]."""
    return np.asarray(weights @ np.sin(2.0 * np.pi * time / periods[:, None] + phases[:, None]))
