"""Cut the rows of a file into cases: where a column changes, at gaps in time, or by length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from surrogate_modeling.importing.rows import Rows


@dataclass(frozen=True)
class Cutting:
    """How files are cut: a length [s], gaps wider than so many usual steps, the changes of a column, or not at all."""

    length: float | None = None
    gap: float | None = None
    column: str | None = None

    @property
    def active(self) -> bool:
        """Whether files are cut at all."""
        return self.length is not None or self.gap is not None or self.column is not None


def cutting_of(cases_by: str | None, column: str | None, max_gap: float) -> Cutting:
    """Read the key ``cases_by``.

    Args:
        cases_by: as given: a column, ``gaps``, or seconds.
        column: its name where it is one.
        max_gap: widest step within a case, in usual steps.

    Raises:
        ValueError: it is neither a column, nor ``gaps``, nor a length.
    """
    if cases_by is None:
        return Cutting()
    if column is not None:
        return Cutting(column=column)
    if cases_by == "gaps":
        return Cutting(gap=max_gap)
    length = float(cases_by)
    if not 0 < length < np.inf:
        raise ValueError(cases_by)
    return Cutting(length=length)


@dataclass(frozen=True)
class Segment:
    """Rows of one case; its time begins at 0 where the file was cut, ``start`` seconds after the file's first row."""

    rows: Rows
    start: float = 0.0
    label: str = ""


@dataclass
class Cutter:
    """Cuts blocks of rows into cases; holds no more than the case that is not yet complete.

    Attributes:
        cutting: how.
    """

    cutting: Cutting
    _held: list[Rows] = field(default_factory=list)
    _begin: float = np.nan
    _step: float = np.nan
    _last: float = np.nan
    _value: object = None

    def feed(self, rows: Rows, cells: np.ndarray | None) -> Iterator[Segment]:
        """Take a block of rows, and yield the cases that it completes.

        Args:
            rows: in the order of the file, each with a time.
            cells: of the column whose changes begin a case (T,).
        """
        if not len(rows.time):
            return
        first = np.isnan(self._last)
        if first:
            self._begin, self._last = float(rows.time[0]), float(rows.time[0])
            self._value = cells[0] if cells is not None else None
        starts = self._starts(rows, cells)
        for begin, end in itertools.pairwise([0, *starts, len(rows.time)]):
            if begin in starts or (begin == 0 and 0 in starts):
                yield from self._complete()
                self._value = cells[begin] if cells is not None else None
            if end > begin:
                self._held.append(rows.take(slice(begin, end)))
        self._last = float(rows.time[-1])

    def finish(self) -> Iterator[Segment]:
        """Yield the last case."""
        yield from self._complete()

    def _complete(self) -> Iterator[Segment]:
        if not self._held:
            return
        parts, self._held = self._held, []
        rows = parts[0]
        if len(parts) > 1:
            rows = Rows(
                np.concatenate([part.time for part in parts]),
                np.concatenate([part.values for part in parts]),
                np.concatenate([part.lines for part in parts]),
                rows.word,
            )
        if not self.cutting.active:
            yield Segment(rows)
            return
        start = float(rows.time[0])
        label = str(self._value).strip() if self.cutting.column else ""
        # A number that counts runs is read as 3.0.
        yield Segment(Rows(rows.time - start, rows.values, rows.lines, rows.word), start, label.removesuffix(".0"))

    def _starts(self, rows: Rows, cells: np.ndarray | None) -> list[int]:
        """Rows of the block that begin another case than the row before."""
        cutting = self.cutting
        if cutting.column is not None and cells is not None:
            before = np.concatenate([np.array([self._value], dtype=object), cells[:-1].astype(object)])
            same = [a == b or (a != a and b != b) for a, b in zip(before, cells.tolist(), strict=True)]
            return np.flatnonzero(~np.array(same)).tolist()
        if cutting.gap is not None:
            steps = np.diff(np.concatenate([[self._last], rows.time]))
            if np.isnan(self._step) and (steps > 0).any():
                self._step = float(np.median(steps[steps > 0]))
            return np.flatnonzero((steps > cutting.gap * self._step) | (steps < 0)).tolist()
        if cutting.length is not None:
            number = np.floor((rows.time - self._begin) / cutting.length + 1e-9)
            last = np.floor((self._last - self._begin) / cutting.length + 1e-9)
            return np.flatnonzero(np.diff(np.concatenate([[last], number])) != 0).tolist()
        return []
