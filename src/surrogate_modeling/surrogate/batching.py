"""Cases of any lengths as batches of bounded size.

Shape letters: B batch, T rows of a case, H = T - in_len predicted rows, C control, P predicted column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from surrogate_modeling.cases.case import Case

# Bounds the memory of a free run over thousands of cases: rows of all cases of one batch.
ROWS_PER_BATCH = 400_000


def batches(order: list[int], lengths: list[int], most_rows: int) -> list[list[int]]:
    """Cases of similar length together, so that padding and memory stay small; ``order`` is by length."""
    found: list[list[int]] = [[]]
    for i in order:
        if found[-1] and (len(found[-1]) + 1) * lengths[i] > most_rows:
            found.append([])
        found[-1].append(i)
    return [batch for batch in found if batch]


def held(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows (T, C) continued to ``length`` with the last one; what is predicted there is cut off."""
    return np.concatenate((rows, np.repeat(rows[-1:], length - len(rows), axis=0)))


def run_batches(
    cases: Sequence[Case],
    in_len: int,
    run: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, ...]],
    most_rows: int = 0,
) -> list[tuple[np.ndarray, ...]]:
    """Free runs over cases of any lengths, many at once.

    Args:
        cases: values (T, C + P) with all controls and at least the first in_len rows of the predicted columns.
        in_len: given rows.
        run: initial (B, in_len, P) and controls (B, T, C) -> arrays (B, H, P).
        most_rows: of all cases of a batch together, where there is memory for more than ``ROWS_PER_BATCH``.

    Returns:
        What ``run`` gave of each case (T - in_len, P), in the order of the cases.
    """
    order = sorted(range(len(cases)), key=lambda i: len(cases[i].values))
    done: dict[int, tuple[np.ndarray, ...]] = {}
    for batch in batches(order, [len(case.values) for case in cases], max(most_rows, ROWS_PER_BATCH)):
        longest = len(cases[batch[-1]].values)
        driven = np.stack([held(cases[i].controls, longest) for i in batch])
        initial = np.stack([cases[i].outputs[:in_len] for i in batch])
        results = run(initial, driven)
        for place, i in enumerate(batch):
            done[i] = tuple(rows[place, : len(cases[i].values) - in_len] for rows in results)
    return [done[i] for i in range(len(cases))]
