"""Cases as standardised tables, few enough rows to compute with.

Shape letters: T rows of a case, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from surrogate_modeling.cases.case import CaseSet, extremes

# Rows given at the beginning of a case.
GIVEN_ROWS = 10
# Rows that are computed with: more say no more about the columns.
MAX_ROWS = 100_000
# A spread this small against the largest value is rounding of float32, not a signal.
CONSTANT_SPREAD = 1e-6
# Pieces that a single record is cut into where some are needed to check on.
PIECES = 10


@dataclass(frozen=True)
class Series:
    """Columns of some cases, each less its mean and over its standard deviation.

    Attributes:
        names: of the columns (F).
        cases: (T, F) float64 each.
        mean: (F,) in the columns' units.
        scale: (F,) standard deviation; 1 where a column does not move in these cases.
        low: (F,) smallest value in all cases of the set, in the columns' units.
        high: (F,) largest.
        constant: (F,) whether a column never changes, in no case of the set.
        parameter: (F,) whether a column changes between the cases of the set only.
        moving: (F,) whether a column moves within one of these cases.
        step: between rows [s].
    """

    names: tuple[str, ...]
    cases: list[np.ndarray]
    mean: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    constant: np.ndarray
    parameter: np.ndarray
    moving: np.ndarray
    step: float

    @classmethod
    def of(cls, case_set: CaseSet, max_rows: int = MAX_ROWS) -> Self:
        """Take cases spread over all of them, whole where they fit, with the columns as they stand in the cases."""
        channels, low, high = case_set.channels, *extremes(case_set.cases)
        # As stored: of a column on a large level float32 would round away, the level is not part of the values.
        small = CONSTANT_SPREAD * np.maximum(np.abs(low), np.abs(high)).max(axis=0)
        constant = high.max(axis=0) - low.min(axis=0) <= small
        parameter = ~constant & ((high - low).max(axis=0) <= small)
        tables = [channels.physical(values).astype(np.float64) for values in _spread(case_set, max_rows)]
        rows = np.concatenate(tables)
        mean, spread = rows.mean(axis=0), rows.std(axis=0)
        still = spread <= small
        scale = np.where(still, 1.0, spread)
        cases = [np.where(still, 0.0, (table - mean) / scale) for table in tables]
        moving = np.max([np.ptp(table, axis=0) for table in tables], axis=0) > small
        names = (*channels.controls, *channels.predicted)
        low, high = channels.physical(low.min(axis=0)), channels.physical(high.max(axis=0))
        return cls(names, cases, mean, scale, low, high, constant, parameter, moving, case_set.step)

    @property
    def varying(self) -> np.ndarray:
        """Positions of the columns that change within a case."""
        return np.flatnonzero(self.moving & ~self.constant & ~self.parameter)

    @property
    def shown(self) -> np.ndarray:
        """Whether a column differs between rows of these cases (F,)."""
        return np.any([case.any(axis=0) for case in self.cases], axis=0)

    def halves(self, shortest: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Cases to fit on and cases to check on, drawn with a fixed seed; few cases are cut into pieces first.

        Args:
            shortest: rows that a piece must have.
        """
        return halves(self.cases, shortest)


def averaged(case_set: CaseSet, most_rows: int) -> CaseSet:
    """Cases of means over so many rows that the usual one has at most ``most_rows``; unchanged if it has."""
    usual = float(np.median([len(case.time) for case in case_set.cases]))
    count = int(np.ceil(usual / most_rows))
    if count < 2:
        return case_set
    cases = []
    for case in case_set.cases:
        whole = len(case.time) // count
        values = case.values[: whole * count].reshape(whole, count, -1).mean(axis=1, dtype=np.float64)
        cases.append(replace(case, time=case.time[: whole * count : count], values=values.astype(np.float32)))
    return replace(case_set, cases=cases, step=count * case_set.step, table=None)


def halves(cases: Sequence[np.ndarray], shortest: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """As :meth:`Series.halves`, of any tables."""
    pieces = list(cases)
    if len(pieces) < 4:
        pieces = [piece for case in cases for piece in np.array_split(case, PIECES)]
    pieces = [piece for piece in pieces if len(piece) >= shortest]
    order = np.random.default_rng(0).permutation(len(pieces))
    held = set(order[: max(1, 3 * len(pieces) // 10)].tolist())
    return (
        [piece for i, piece in enumerate(pieces) if i not in held],
        [piece for i, piece in enumerate(pieces) if i in held],
    )


def _spread(case_set: CaseSet, max_rows: int) -> list[np.ndarray]:
    """Values of cases spread over all of them; of one too long alone, pieces spread over it."""
    cases = case_set.cases
    usual = float(np.mean([len(case.time) for case in cases]))
    count = min(len(cases), max(1, int(max_rows / usual)))
    chosen = np.unique(np.linspace(0, len(cases) - 1, count).round().astype(int))
    return [piece for i in chosen for piece in _pieces(cases[i].values, max_rows)]


def _pieces(values: np.ndarray, max_rows: int) -> list[np.ndarray]:
    if len(values) <= max_rows:
        return [values]
    length = max_rows // PIECES
    return [values[start:][:length] for start in np.linspace(0, len(values) - length, PIECES).astype(int)]
