"""Columns that stand still for part of a case, as a sensor does that is stuck.

Shape letters: N cases, T rows of a case, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.inspection.similarity import MOST_STUCK

# Fewer cases do not say how long a column usually stands still.
MIN_CASES = 4
# Rows of one value from which on a column is stuck, and how many times longer that is than in the other cases.
MIN_ROWS, LONGER = 30, 10
# Columns that change in fewer of their rows move in steps.
MIN_CHANGING = 0.3


@dataclass(frozen=True)
class Stuck:
    """A column that stands still in a case from one time to another [s], and the longest time elsewhere [s]."""

    column: int
    case: str
    start: float
    end: float
    elsewhere: float


@dataclass(frozen=True)
class _Stretches:
    """Rows, first row and value (F,) of the longest stretch of one value in each column of a case; how often it
    changes, and its range.
    """

    rows: np.ndarray
    first: np.ndarray
    value: np.ndarray
    changing: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> _Stretches:
        """Those of a case (T, F)."""
        changed = np.vstack((np.ones((1, values.shape[1]), bool), values[1:] != values[:-1]))
        number = np.arange(len(values), dtype=np.int32)[:, None]
        rows = number - np.maximum.accumulate(np.where(changed, number, 0), axis=0) + 1
        last = rows.argmax(axis=0)
        columns = np.arange(values.shape[1])
        longest = rows[last, columns]
        return cls(
            longest, last - longest + 1, values[last, columns], changed[1:].mean(axis=0),
            values.min(axis=0), values.max(axis=0),
        )  # fmt: skip


def stuck_columns(cases: Sequence[Case], step: float) -> list[Stuck]:
    """Columns that change all the time but stand still in few cases, the longest first.

    One at an end of its range, which other cases reach too, is rather at a limit; one that never moves is said of the
    whole case.

    Args:
        cases: on a grid.
        step: of it [s].
    """
    if len(cases) < MIN_CASES:
        return []
    found = [_Stretches.of(case.values) for case in cases]
    rows, changing = (np.stack([getattr(one, name) for one in found]) for name in ("rows", "changing"))
    few = max(1, int(MOST_STUCK * len(cases)))
    usual = np.sort(rows, axis=0)[-1 - few]
    moving = np.median(changing, axis=0) >= MIN_CHANGING
    stuck = []
    for i, j in zip(*np.nonzero((rows >= np.maximum(MIN_ROWS, LONGER * usual)) & moving), strict=True):
        case, one = cases[i], found[i]
        others = [other for k, other in enumerate(found) if k != i]
        limits = min(other.low[j] for other in others), max(other.high[j] for other in others)
        if one.rows[j] < len(case.time) and one.value[j] not in limits:
            first, last = case.time[[one.first[j], one.first[j] + one.rows[j] - 1]]
            stuck.append(Stuck(int(j), case.name, float(first), float(last), float(usual[j] - 1) * step))
    return sorted(stuck, key=lambda one: one.start - one.end)
