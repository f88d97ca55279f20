"""Find predicted columns that are probably controls missing from the configuration.

Shape letters: T rows of a case, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.shape import shaped_like_input
from surrogate_modeling.evaluation.metrics import ade
from surrogate_modeling.evaluation.scores import Scores

# Error of a regression over the error of the mean, from which on the column counts as not predicted.
MIN_UNPREDICTED_RATIO = 0.9
# Copied in one pass over the rows, which may lie in a file that memory does not hold.
COLUMNS_AT_ONCE = 8


def forgotten_controls(cases: Sequence[Case], mean: np.ndarray, baselines: Sequence[Scores]) -> list[str]:
    """Names of predicted columns that no baseline predicts better than their mean, and that are shaped like inputs.

    Args:
        cases: test cases with the truth.
        mean: (P,) of the columns over the training cases.
        baselines: scores of regressions on the same cases.
    """
    channels = baselines[0].channels
    # Baselines start from the first rows of each case, which may lead them astray: the best one counts.
    least = np.min([scores.ade.mean(axis=0) for scores in baselines], axis=0)
    of_mean = np.mean([ade(np.broadcast_to(mean, case.outputs.shape), case.outputs) for case in cases], axis=0)
    unpredicted = np.flatnonzero((of_mean > 0) & (least >= MIN_UNPREDICTED_RATIO * of_mean))
    found: list[str] = []
    for first in range(0, len(unpredicted), COLUMNS_AT_ONCE):
        columns = unpredicted[first : first + COLUMNS_AT_ONCE]
        parts = [case.outputs[:, columns] for case in cases]
        found += [
            channels.predicted[j] for i, j in enumerate(columns) if shaped_like_input([part[:, i] for part in parts])
        ]
    return found
