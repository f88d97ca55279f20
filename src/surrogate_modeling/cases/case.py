"""A case and a set of cases in memory. Imports NumPy only, so that a surrogate can be used without the file readers.

Shape letters: N all rows, T rows of a case, F feature (C controls, then P predicted columns).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Self

import numpy as np

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.excess import Excess


@dataclass(frozen=True)
class Case:
    """One simulated or measured time series: controls and predicted columns.

    Attributes:
        name: of its file, without the ending.
        time: (T,) [s].
        values: (T, F) float32, controls first, less ``channels.offsets``: the training data. Other code uses the
            properties below, which are in the columns' units.
        channels: the columns.
        unit: name of the unit (vehicle, cell, machine) or other group that it belongs to; None if unknown.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    channels: Channels
    unit: str | None = None

    @property
    def controls(self) -> np.ndarray:
        """Controls of all rows (T, C)."""
        return self.channels.physical(self.values[:, : len(self.channels.controls)])

    @property
    def outputs(self) -> np.ndarray:
        """Predicted columns of all rows (T, P)."""
        return self.truth(len(self.values))

    def column(self, position: int) -> np.ndarray:
        """One column of all rows (T,), in its unit; ``position`` counts the controls, then the predicted columns."""
        return self.channels.physical(self.values[:, position : position + 1], position)[:, 0]

    def truth(self, rows: int) -> np.ndarray:
        """True values of the predicted columns in the last rows (rows, P), to compare a free run with."""
        controls = len(self.channels.controls)
        return self.channels.physical(self.values[len(self.values) - rows :, controls:], controls)


@dataclass(frozen=True)
class RowTable:
    """All rows of some cases in one array (N, F), less the offsets.

    Attributes:
        values: (N, F), float32.
        first: row of each case, by name.
        file: that the array is mapped from; None where it lies in memory.
    """

    values: np.ndarray
    first: Mapping[str, int]
    file: IO[bytes] | None = None

    def rows_of(self, name: str, count: int) -> np.ndarray:
        """The rows (count, F) of a case, as a read-only view."""
        rows = self.values[self.first[name] :][:count]
        rows.flags.writeable = False
        return rows

    def copy_rows(self, first: int, into: np.ndarray) -> None:
        """Copy rows from ``first`` on into an array (K, F) in memory.

        Those in a file are read from it: pages of the map would be brought in with megabytes that lie beside them, in
        the place of what is needed.
        """
        if self.file is None or not hasattr(os, "preadv"):
            into[:] = self.values[first : first + len(into)]
            return
        left, place = into.data.cast("B"), first * self.values.strides[0]
        while left:
            count = os.preadv(self.file.fileno(), [left], place)
            if not count:
                raise OSError("the file of the rows of the cases is shorter than they are")
            left, place = left[count:], place + count

    def __getstate__(self) -> dict[str, Any]:
        # A file stays with its process.
        return {**self.__dict__, "file": None}

    def including(self, cases: Iterable[Case]) -> Self:
        """The same array with the first rows of more cases, which are views of it; nothing is copied.

        Args:
            cases: whose values lie in this array, such as stretches of its cases.
        """
        start, row_bytes = self.values.__array_interface__["data"][0], self.values.strides[0]
        places = {case.name: (case.values.__array_interface__["data"][0] - start) // row_bytes for case in cases}
        return replace(self, first={**self.first, **places})

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Self:
        """Copy the rows of cases that do not share an array."""
        starts = np.cumsum([0, *(len(case.values) for case in cases)]).tolist()
        values = np.concatenate([case.values for case in cases], dtype=np.float32)
        return cls(values, dict(zip((case.name for case in cases), starts[:-1], strict=True)))


@dataclass(frozen=True)
class CaseSet:
    """All cases of a folder on time grids of one step [s].

    Attributes:
        cases: in natural name order.
        channels: their columns.
        step: between rows [s].
        fingerprint: digest of the files' content.
        table: the array that the cases are views of; None if every case has its own.
        excesses: cases that reach far beyond all others.
    """

    cases: list[Case]
    channels: Channels
    step: float
    fingerprint: str
    table: RowTable | None = None
    excesses: tuple[Excess, ...] = ()


def extremes(cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each column in each case (cases, F), less the offsets."""
    return np.stack([case.values.min(axis=0) for case in cases]), np.stack([case.values.max(axis=0) for case in cases])
