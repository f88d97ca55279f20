"""What is taken off a column before it is held in float32.

Float32 keeps seven digits: of a column that varies by 1e4 around 1e12 nothing would be left. Such a column is held less
the middle of its range, taken off in double. Every other column is held as it is.

Shape letters: T rows of a case, F columns.
"""

from __future__ import annotations

import numpy as np

ROUNDING = float(np.finfo(np.float32).eps)
# Of the range of a column that rounding to float32 may take.
ROUNDED_SHARE = 1e-4
# A range this small against the largest value is rounding of float64: the column is constant.
CONSTANT_RANGE = 1e-12


def case_offsets(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Offsets (F,) with which a case loses nothing, whatever the other cases are like.

    Args:
        low: (F,) smallest value of each column in the case.
        high: (F,) largest.
    """
    # Twice as careful as the offsets of all cases, which the rows must still be put to.
    return _offsets(low, high, ROUNDED_SHARE / 2)


def common_offsets(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Offsets (F,) of all cases together; 0 for columns that are constant or that float32 holds well enough.

    Args:
        low: (F,) smallest value of each column over all cases.
        high: (F,) largest.
    """
    varies = high - low > CONSTANT_RANGE * np.maximum(np.abs(low), np.abs(high))
    return np.where(varies, _offsets(low, high, ROUNDED_SHARE), 0.0)


def _offsets(low: np.ndarray, high: np.ndarray, share: float) -> np.ndarray:
    lost = ROUNDING * np.maximum(np.abs(low), np.abs(high)) > share * (high - low)
    return np.where(lost, low + (high - low) / 2, 0.0)
