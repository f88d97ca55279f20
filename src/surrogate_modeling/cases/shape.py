"""The shape of a column over time: inputs of a simulation mostly move in steps or ramps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Share of a column's rows on a straight line with their neighbours, and the tolerance [share of its range].
MIN_STRAIGHT_SHARE, STRAIGHT_TOLERANCE = 0.5, 1e-4


def shaped_like_input(columns: Sequence[np.ndarray]) -> bool:
    """Whether a column moves in steps or ramps: straight lines in most rows, or two values only."""
    low, high = min(column.min() for column in columns), max(column.max() for column in columns)
    if not high > low:
        return False
    if len(np.unique(np.concatenate([np.unique(column) for column in columns]))) <= 2:
        return True
    bends = np.concatenate([np.abs(np.diff(column.astype(np.float64), 2)) for column in columns])
    return bool((bends <= STRAIGHT_TOLERANCE * (high - low)).mean() >= MIN_STRAIGHT_SHARE)
