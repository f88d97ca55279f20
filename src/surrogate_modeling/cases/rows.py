"""Collect the rows of all cases in one array while they are read.

Shape letters: N all rows, T rows of a case, F feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from surrogate_modeling.cases.case import RowTable

# Capacity over the rows needed, when cases are longer than expected.
GROWTH_FACTOR = 1.1


class Rows:
    """Growing array of the rows of all cases, one case after another, from which windows are taken without a copy.

    The array grows in place as cases come: no two copies of a large dataset are in memory at once.

    Args:
        expected: number of cases, an estimate for the capacity.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._array = np.empty((0, 0), np.float32)
        self._ends = [0]

    def add(self, values: np.ndarray) -> None:
        """Append a case (T, F); one whose number of columns differs is skipped, since its file is refused elsewhere."""
        if len(self._ends) == 1:
            # Memory that is never written to takes no physical pages.
            self._array = np.empty((self._expected * len(values), values.shape[1]), np.float32)
        if values.shape[1] != self._array.shape[1]:
            return
        end = self._ends[-1] + len(values)
        if end > len(self._array):
            # realloc moves pages instead of copying where the C library can (glibc).
            self._array.resize((int(GROWTH_FACTOR * end), values.shape[1]), refcheck=False)
        self._array[self._ends[-1] : end] = values
        self._ends.append(end)

    def shift(self, case: int, by: np.ndarray) -> None:
        """Add ``by`` (F,) to the columns of a case, in double."""
        rows = self._array[self._ends[case] : self._ends[case + 1]]
        for column in np.flatnonzero(by):
            rows[:, column] = rows[:, column] + by[column]

    def table(self, names: Sequence[str], order: Sequence[int]) -> RowTable:
        """Finish the array with its columns in the given order; no case can be added after that.

        Args:
            names: of the cases, in the order in which they were added.
            order: position of each column of the table in the added cases.
        """
        self._array.resize((self._ends[-1], self._array.shape[1]), refcheck=False)
        if list(order) != sorted(order):
            # Case by case: all at once would be a second copy of a large dataset.
            for first, end in pairwise(self._ends):
                self._array[first:end] = self._array[first:end, order]
        return RowTable(self._array, dict(zip(names, self._ends[:-1], strict=True)))
