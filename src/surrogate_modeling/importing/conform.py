"""Bring a table to the plan: time in seconds, columns in order, units converted, text as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.cases.writer import round_significant
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.cells import is_missing
from surrogate_modeling.importing.column_kinds import is_text
from surrogate_modeling.importing.import_plan import Column, ImportPlan, PlannedColumn, columns_of, find_column
from surrogate_modeling.importing.raw_table import BadFile, RawTable
from surrogate_modeling.importing.rows import Rows
from surrogate_modeling.importing.text_columns import to_columns
from surrogate_modeling.importing.time_axis import Clock

MOST_LISTED = 6


@dataclass
class Conformer:
    """Brings the tables of one file, block by block, to the plan.

    Attributes:
        plan: of the import.
        units: given by the key ``units``.
        date_format: given by key.
        time_unit: given by key, before what files say; None: not given.
        remarks: conversions that were made, one sentence each.
        start: date of the first row; empty where time is a number of the run.
    """

    plan: ImportPlan
    units: dict[str, str]
    date_format: str | None
    time_unit: str | None = None
    remarks: dict[str, None] = field(default_factory=dict)
    _clock: Clock | None = None

    @property
    def start(self) -> str:
        """Date and time of the file's first row; empty where time is a number of the run."""
        return self._clock.start if self._clock else ""

    def rows(self, table: RawTable, first_row: int = 0) -> tuple[Rows, np.ndarray | None]:
        """The rows of a table, and the cells (T,) of the column whose changes begin a case.

        Args:
            table: the file, or a block of it.
            first_row: rows of the file before it.

        Raises:
            BadFile: a column is missing or not in the plan, a cell is no number, or units do not agree.
        """
        word = "line" if table.lines else "row"
        begin = table.lines or first_row + 1
        lines = table.line_numbers
        if lines is None:
            lines = np.arange(begin, begin + len(table.frame))
        columns = columns_of(table, self.units)
        self._require_same(columns, table)
        time = self._seconds(columns, table, lines, word)
        parts = [self._values(planned, columns, table, lines) for planned in self.plan.columns]
        values = np.concatenate(parts, axis=1) if parts else np.empty((len(time), 0))
        cut = None
        if self.plan.cut_by is not None and (column := find_column(columns, self.plan.cut_by)):
            cut = table.frame[column.key].to_numpy()
        self.remarks |= dict.fromkeys(table.remarks)
        return Rows(time, values, lines, word), cut

    def _seconds(self, columns: Sequence[Column], table: RawTable, lines: np.ndarray, word: str) -> np.ndarray:
        found = [column for name in self.plan.time if (column := find_column(columns, name))]
        if self._clock is None:
            unit = self._unit_of_time(found[0])
            names = tuple(column.key for column in found)
            self._clock = Clock(names, unit, self.date_format, table.source, table.typed)
        seconds = self._clock.seconds(table.frame, lines, word)
        self.remarks |= dict.fromkeys(self._clock.remarks)
        return seconds

    def _unit_of_time(self, column: Column) -> str:
        """The unit of a file's time: that of the key, that of the file, or that of the first file."""
        planned, said = self.plan.time_unit, column.unit
        if self.time_unit is not None:
            if said and said != self.time_unit:
                self.remarks[f"time is read in {self.time_unit} (time_unit), where the file says {said}"] = None
            return self.time_unit
        if not said or self.plan.time[0] in self.units:
            return planned
        if said != planned:
            how = "in s" if said == "s" else f"converted from {said} to s"
            self.remarks[f"time is {how}, where other files have {planned}"] = None
        return said

    def _values(
        self, planned: PlannedColumn, columns: Sequence[Column], table: RawTable, lines: np.ndarray
    ) -> np.ndarray:
        column = find_column(columns, planned.name)
        assert column is not None
        cells = table.frame[column.key]
        if planned.text is not None:
            return to_columns(cells.to_numpy(dtype=object), planned.text, lines, table.source)
        values = numbers_of(cells, column, lines, table)[:, None]
        factor, offset = unit_change(column, planned, table.source)
        if (factor, offset) != (1.0, 0.0):
            self.remarks[f"{planned.name!r} is converted from {column.unit} to {planned.unit}"] = None
            # 300 K are 26.85 degC, not 26.850000000000023.
            return round_significant(values * factor + offset, 13)
        return values

    def _require_same(self, columns: Sequence[Column], table: RawTable) -> None:
        names = {column.name for column in columns}
        plan = self.plan
        wanted = [*plan.time, *(planned.name for planned in plan.columns), *([plan.cut_by] if plan.cut_by else [])]
        if missing := [name for name in wanted if name not in names]:
            listed = names_and_rest(map(repr, missing), MOST_LISTED)
            raise BadFile(
                table.source,
                f"missing columns {listed}, which the first file has; leave them out of all files with "
                f"'ignore=[{','.join(missing[:MOST_LISTED])}]'",
            )
        known = {*wanted, *plan.ignored}
        if extra := [column.name for column in columns if column.name not in known]:
            listed = names_and_rest(map(repr, extra), MOST_LISTED)
            raise BadFile(
                table.source,
                f"columns {listed} are not in the first file; leave them out with 'ignore=[...]' or import the file "
                "apart",
            )


def numbers_of(cells: pd.Series, column: Column, lines: np.ndarray, table: RawTable) -> np.ndarray:
    """A column (T,) as float64, NaN where a cell is missing.

    Args:
        cells: of the column.
        column: its name, for messages.
        lines: place of each row (T,).
        table: that it is of.

    Raises:
        BadFile: a cell is text; with its lines.
    """
    if not is_text(cells):
        return cells.to_numpy(dtype=float)
    texts = cells.tolist()
    values = {cell: _number(cell) for cell in dict.fromkeys(texts)}
    wrong = np.array([values[cell] is None for cell in texts])
    ignored = f"or leave the column out with 'ignore=[{column.name}]'"
    if wrong.any():
        cell = str(cells[wrong].iloc[0])[:40]
        raise BadFile(
            table.source,
            f"{line_ranges(lines[wrong].tolist())}, column {column.name!r}: text {cell!r} where a number is expected; "
            f"mend it, say that it is none with 'no_number=[{cell}]', {ignored}",
        )
    # What Python takes for a number may be another one in this file: 1.250 beside 1,5.
    other = np.array([table.typed and isinstance(cell, str) and not is_missing(cell) for cell in texts])
    if other.any():
        raise BadFile(
            table.source,
            f"{line_ranges(lines[other].tolist())}, column {column.name!r}: {str(cells[other].iloc[0])[:40]!r} is not "
            f"written as the numbers of the first rows are; write it as they are, {ignored}",
        )
    return np.array([values[cell] for cell in texts], dtype=float)


def _number(cell: object) -> float | None:
    if cell is None or cell != cell or is_missing(str(cell)):
        return np.nan
    try:
        return float(narrow(str(cell)))
    except ValueError:
        return None


def unit_change(column: Column, planned: PlannedColumn, source: str) -> tuple[float, float]:
    """Factor and offset from a file's unit to that of the cases.

    Raises:
        BadFile: they cannot be converted.
    """
    if column.unit == planned.unit or planned.unit is None:
        return 1.0, 0.0
    try:
        return conversion(column.unit or "", planned.unit)
    except UnitError as error:
        raise BadFile(
            source,
            f"column {column.name!r}: {error}, the cases have '{planned.unit}'; give 'units={{{column.name}: <unit>}}' "
            "for the files, or import them apart",
        ) from None
