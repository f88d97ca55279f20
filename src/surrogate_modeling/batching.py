"""Cases of any lengths as batches of bounded size.

Shape letters: T rows of a case, C control.
"""

from __future__ import annotations

import numpy as np

# Bounds the memory of a free run over thousands of cases: rows of all cases of one batch.
ROWS_PER_BATCH = 400_000


def batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Cases of similar length together, so that padding and memory stay small; ``order`` is by length."""
    found: list[list[int]] = [[]]
    for i in order:
        if found[-1] and (len(found[-1]) + 1) * lengths[i] > ROWS_PER_BATCH:
            found.append([])
        found[-1].append(i)
    return [batch for batch in found if batch]


def held(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows (T, C) continued to ``length`` with the last one; what is predicted there is cut off."""
    return np.concatenate((rows, np.repeat(rows[-1:], length - len(rows), axis=0)))
