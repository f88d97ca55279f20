"""Scores of a predicted trajectory against the truth of the same rows, per column and in its unit.

Shapes: T rows, P columns.
"""

from __future__ import annotations

import numpy as np


def ade(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Average displacement error: mean absolute error over all predicted rows.

    The name is that of trajectory forecasting (Alahi et al., Social LSTM, CVPR 2016), there with the Euclidean
    distance; here each column is a trajectory of its own.

    Args:
        predicted: (T, P).
        truth: (T, P).

    Returns:
        (P,) in the columns' units; infinite where a prediction is not finite.
    """
    return _absolute_error(predicted, truth).mean(axis=0)


def fde(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Final displacement error: absolute error of the last row, (P,); see :func:`ade`."""
    return _absolute_error(predicted[-1:], truth[-1:])[0]


def skill(error: float, reference: float) -> float:
    """Skill score 1 - error / reference (Murphy 1988, MWR 116): 1 is perfect, 0 equals the reference, below 0 worse."""
    return 1.0 - error / reference if reference > 0 else (0.0 if error == 0 else -np.inf)


def _absolute_error(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    error = np.abs(predicted.astype(np.float64) - truth)
    return np.where(np.isfinite(error), error, np.inf)
