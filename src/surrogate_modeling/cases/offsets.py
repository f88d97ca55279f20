"""Offsets subtracted from columns before they are stored in float32.

Float32 keeps seven digits: a column that varies by 1e4 around 1e12 would be lost. Such a column is stored less the
middle of its range, subtracted in double. Every other column is stored unchanged.

Shape letters: T rows of a case, F columns.
"""

from __future__ import annotations

import numpy as np

FLOAT32_EPS = float(np.finfo(np.float32).eps)
# Largest rounding error of float32, as a share of a column's range.
MAX_ROUNDING_SHARE = 1e-4
# A range this small against the largest value is rounding of float64: the column is constant.
CONSTANT_RANGE = 1e-12


def case_offsets(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Offsets (F,) of one case, for which float32 is precise enough whatever the other cases are.

    Args:
        low: (F,) smallest value of each column in the case.
        high: (F,) largest.
    """
    # Half of the limit for all cases: the rows are still to be shifted to the common offsets.
    return _offsets(low, high, MAX_ROUNDING_SHARE / 2)


def common_offsets(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Offsets (F,) of all cases together; 0 for columns that are constant or precise enough in float32.

    Args:
        low: (F,) smallest value of each column over all cases.
        high: (F,) largest.
    """
    varies = high - low > CONSTANT_RANGE * np.maximum(np.abs(low), np.abs(high))
    return np.where(varies, _offsets(low, high, MAX_ROUNDING_SHARE), 0.0)


def _offsets(low: np.ndarray, high: np.ndarray, share: float) -> np.ndarray:
    lost = FLOAT32_EPS * np.maximum(np.abs(low), np.abs(high)) > share * (high - low)
    return np.where(lost, low + (high - low) / 2, 0.0)
