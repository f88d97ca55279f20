"""The shape of a column over time: inputs of a simulation mostly move in steps or ramps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Share of a column's rows on a straight line with their neighbours, and the tolerance [share of its range].
MIN_STRAIGHT_SHARE, STRAIGHT_TOLERANCE = 0.5, 1e-4
# An angle jumps by more than this share of its range where it wraps around, and otherwise by less than that.
WRAP_JUMP, LARGEST_MOVE = 0.8, 0.4
# So often at least, and with this share of all rows away from the ends of the range, where a switch has none.
MIN_WRAPS, MIN_INNER_SHARE = 3, 0.3


def shaped_like_input(columns: Sequence[np.ndarray]) -> bool:
    """Whether a column moves in steps or ramps: straight lines in most rows, or two values only."""
    low, high = min(column.min() for column in columns), max(column.max() for column in columns)
    if not high > low:
        return False
    if len(np.unique(np.concatenate([np.unique(column) for column in columns]))) <= 2:
        return True
    bends = np.concatenate([np.abs(np.diff(column.astype(np.float64), 2)) for column in columns])
    return bool((bends <= STRAIGHT_TOLERANCE * (high - low)).mean() >= MIN_STRAIGHT_SHARE)


def wraps(columns: Sequence[np.ndarray]) -> int:
    """Times that a column wraps around as an angle does, from one end of its range to the other; 0 if it does not."""
    rows = np.concatenate(columns).astype(np.float64)
    low, high = rows.min(), rows.max()
    if not high > low:
        return 0
    moves = np.concatenate([np.abs(np.diff(column.astype(np.float64))) for column in columns]) / (high - low)
    jumps = moves > WRAP_JUMP
    inner = np.abs(rows - (low + high) / 2) < 0.3 * (high - low)
    if jumps.sum() < MIN_WRAPS or moves[~jumps].max(initial=0) > LARGEST_MOVE or inner.mean() < MIN_INNER_SHARE:
        return 0
    return int(jumps.sum())
