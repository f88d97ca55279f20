"""Thin long curves for drawing: keep the smallest and the largest value of each of many short pieces.

A spike of one row stays visible, which keeping every n-th row would miss.

Shape letters: T rows, N points kept.
"""

from __future__ import annotations

import numpy as np

# Long curves are thinned to twice as many points, more than the pixel columns of a figure.
PIECES = 2000


def piece_starts(rows: int) -> np.ndarray:
    """First rows (PIECES,) of :data:`PIECES` pieces of nearly equal length."""
    return np.linspace(0, rows, PIECES, endpoint=False).astype(np.int64)


def is_long(rows: int) -> bool:
    """Whether a curve of so many rows is worth thinning."""
    return rows > 4 * PIECES


def thin_curve(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thin a curve to the smallest and the largest value of each piece, in their order in time.

    Args:
        time: (T,).
        values: (T,); a piece without one finite value stays NaN.

    Returns:
        Time and values, (N,) each; unchanged if the curve is short.
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
    """Thin a band (T,) to the least lower and the greatest upper edge of each piece, (N,) each; unchanged if short."""
    if not is_long(len(lower)):
        return time, lower, upper
    starts = piece_starts(len(lower))
    return time[starts], np.fmin.reduceat(lower, starts), np.fmax.reduceat(upper, starts)


def thin_mean(values: np.ndarray) -> np.ndarray:
    """Thin a curve (T,) to the mean of each piece, at the times of :func:`thin_band`; unchanged if short."""
    if not is_long(len(values)):
        return values
    starts = piece_starts(len(values))
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))


def thin_table(values: np.ndarray, pieces: int) -> np.ndarray:
    """Thin curves of one length to two values per piece, its smallest and its largest, in the order of the curve.

    Whether a piece rises or falls from its first to its last known value says which of the two comes first, so that all
    curves have points at the same times.

    Args:
        values: (N, T), T at least twice the pieces; NaN where a value is missing.
        pieces: of nearly equal length.

    Returns:
        (N, 2 pieces); NaN where a piece has no value.
    """
    starts = np.linspace(0, values.shape[1], pieces, endpoint=False).astype(np.int64)
    low, high = np.fmin.reduceat(values, starts, axis=1), np.fmax.reduceat(values, starts, axis=1)
    ends = np.append(starts[1:], values.shape[1]) - 1
    falls = values[:, starts] > values[:, ends]
    pairs = np.stack((np.where(falls, high, low), np.where(falls, low, high)), axis=-1)
    return pairs.reshape(len(values), -1)
