"""Fewer points for the same picture: a long curve becomes the smallest and largest value of each of many short pieces.

Nothing that can be seen is lost: a spike of one row stays, where every n-th row would miss it.

Shape letters: T rows, N points kept.
"""

from __future__ import annotations

import numpy as np

# Longer curves are thinned to twice as many points: more than a figure of our size has columns of pixels.
PIECES = 2000


def piece_starts(rows: int) -> np.ndarray:
    """First row of each of :data:`PIECES` pieces of nearly one length, (PIECES,)."""
    return np.linspace(0, rows, PIECES, endpoint=False).astype(np.int64)


def is_long(rows: int) -> bool:
    """Whether a curve of so many rows is worth thinning."""
    return rows > 4 * PIECES


def thin_curve(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve through the smallest and the largest value of each piece, in the order in which they come.

    Args:
        time: (T,).
        values: (T,); a piece without one finite value stays NaN.

    Returns:
        Time and values, (N,) each; the curve itself where it is short.
    """
    if not is_long(len(values)):
        return time, values
    starts = piece_starts(len(values))
    bounds = [*starts[1:].tolist(), len(values)]
    kept = np.empty((PIECES, 2), dtype=np.int64)
    low = np.where(np.isnan(values), np.inf, values)
    high = np.where(np.isnan(values), -np.inf, values)
    for i, (first, last) in enumerate(zip(starts.tolist(), bounds, strict=True)):
        kept[i] = first + low[first:last].argmin(), first + high[first:last].argmax()
    kept.sort(axis=1)
    chosen = kept.ravel()
    return time[chosen], values[chosen]


def thin_band(time: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The least lower and the greatest upper edge (T,) of each piece, (N,) each; the band itself where it is short."""
    if not is_long(len(lower)):
        return time, lower, upper
    starts = piece_starts(len(lower))
    return time[starts], np.fmin.reduceat(lower, starts), np.fmax.reduceat(upper, starts)


def thin_mean(values: np.ndarray) -> np.ndarray:
    """Mean of each piece of a curve (T,), which goes with the time of :func:`thin_band`; itself where it is short."""
    if not is_long(len(values)):
        return values
    starts = piece_starts(len(values))
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))
