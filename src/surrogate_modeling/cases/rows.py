"""Collect the rows of all cases in one array while they are read: in memory, or in a file that is mapped into it.

A mapped file takes no memory that others need: the system keeps what is used of it, and drops it where memory is short.

Shape letters: N all rows, T rows of a case, F feature.
"""

from __future__ import annotations

import logging
import mmap
import os
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from typing import IO

import numpy as np

from surrogate_modeling.cases.case import RowTable
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.memory import available_memory
from surrogate_modeling.common.paths import cache_folder

log = logging.getLogger(__name__)
# Of the memory that is free, what rows may take without being asked for: training and scoring need some too.
MEMORY_SHARE = 0.5
# Capacity over the rows needed, when cases are longer than expected.
GROWTH_FACTOR = 1.1


class Rows:
    """Growing array of the rows of all cases, one case after another, from which windows are taken without a copy.

    The array grows in place as cases come: no two copies of a large dataset are in memory at once.

    Args:
        expected: lengths of the first case that all of them have together, an estimate for the capacity.
        in_file: whether the array lies in a temporary file; None: where it would take a large part of the memory.
    """

    def __init__(self, expected: float, in_file: bool | None = False) -> None:
        self._expected, self._in_file = expected, in_file
        self._file: IO[bytes] | None = None
        self._array = np.empty((0, 0), np.float32)
        self._ends = [0]

    def add(self, values: np.ndarray) -> None:
        """Append a case (T, F); one whose number of columns differs is skipped, since its file is refused elsewhere."""
        if len(self._ends) == 1:
            self._allocate(max(len(values), round(self._expected * len(values))), values.shape[1])
        if values.shape[1] != self._array.shape[1]:
            return
        end = self._ends[-1] + len(values)
        if end > len(self._array):
            self._resize(int(GROWTH_FACTOR * end))
        self._array[self._ends[-1] : end] = values
        self._ends.append(end)

    def _allocate(self, rows: int, columns: int) -> None:
        """Make the array, in a file where it should be.

        Raises:
            UserError: the disk of the file is full.
        """
        size, in_file = 4 * rows * columns, self._in_file
        if in_file is None:
            free = available_memory()
            in_file = free is not None and size > MEMORY_SHARE * free
        if in_file:
            folder = cache_folder()
            log.info("the rows of the cases, %.1f GB, lie in a file in %s (settings.memory_map)", size / 1e9, folder)
            # Without a name: it goes with this process, however that ends.
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 lives as long as the rows
            self._array = np.empty((0, columns), np.float32)
            self._resize(rows)
        else:
            # Memory that is never written to takes no physical pages.
            self._array = np.empty((rows, columns), np.float32)

    def _resize(self, rows: int) -> None:
        """Change the number of rows; those that are there stay."""
        columns = self._array.shape[1]
        if self._file is None:
            # realloc moves pages instead of copying where the C library can (glibc).
            self._array.resize((rows, columns), refcheck=False)
            return
        size = 4 * rows * columns
        try:
            if hasattr(os, "posix_fallocate"):
                # Writing to a mapped file whose disk is full would kill the process.
                os.posix_fallocate(self._file.fileno(), 0, size)
            self._file.truncate(size)
        except OSError as error:
            raise UserError(
                f"{cache_folder()}: no room for the rows of the cases, {size / 1e9:.1f} GB ({error.strerror}); free "
                "some, set XDG_CACHE_HOME to a folder on another disk, or settings.memory_map=false where the memory "
                "holds them"
            ) from None
        mapped = mmap.mmap(self._file.fileno(), size)
        self._array = np.frombuffer(mapped, np.float32).reshape(rows, columns)

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
        if self._ends[-1]:
            self._resize(self._ends[-1])
        if list(order) != sorted(order):
            # Case by case: all at once would be a second copy of a large dataset.
            for first, end in pairwise(self._ends):
                self._array[first:end] = self._array[first:end, order]
        return RowTable(self._array, dict(zip(names, self._ends[:-1], strict=True)), self._file)
