"""Parse one case CSV, or list everything that is wrong with it.

A valid file is read by Arrow. Only a file that Arrow or the check for finite numbers refuses is read again cell by
cell, to name each line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from surrogate_modeling.cases.file_text import BOM, LINE_END, encoding_problem, end_of_text, first_lines
from surrogate_modeling.cases.problems import Problem, line_ranges
from surrogate_modeling.common.wording import counted

# The point is not optional between optional digits: the search time would grow with the square of a cell's length.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# Bytes parsed at a time: Arrow's copy of a case stays small and in the processor's cache.
BLOCK_BYTES = 2**20
SECONDS = {"s", "sec", "second", "seconds", "秒"}
FIRST_DATA_LINE = 3
MISSING = ["", "nan", "NaN"]
# Python's reader stops at 131072 characters by an exception that names no file.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class RawCase:
    """The content of a case file: names and units of the columns after time, time (T,) [s], values (T, F), all float64.

    Attributes:
        lines: (T,) line number of each row in the file.
        numbers: number of each column in the file, time being 1; for messages.
        ignored: names of the columns that were not read.
    """

    time_name: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    lines: np.ndarray
    numbers: tuple[int, ...]
    ignored: tuple[str, ...] = ()

    @classmethod
    def of_table(
        cls, names: Sequence[str], units: Sequence[str], used: Sequence[int], cells: np.ndarray, lines: np.ndarray
    ) -> Self:
        """Assemble a case of what was read of a file.

        Args:
            names: of all columns of the file, time first.
            units: of the same; there may be too few, which is then a problem of the header.
            used: positions of the columns that were read (U,), time first.
            cells: of these (T, U).
            lines: line number of each row (T,).
        """
        return cls(
            names[0],
            tuple(names[i] for i in used[1:]),
            tuple(units[i] for i in used[1:] if i < len(units)),
            np.ascontiguousarray(cells[:, 0]),
            cells[:, 1:],
            lines,
            tuple(i + 1 for i in used[1:]),
            tuple(name for i, name in enumerate(names) if i not in used),
        )


class CaseFileError(Exception):
    """All problems of one case file, and the part of it that could be read.

    Args:
        problems: at least one.
        readable: None where the header is wrong; else the case with NaN for cells that are not numbers, so that the
            following checks can still report their problems.
    """

    def __init__(self, problems: list[Problem], readable: RawCase | None = None) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
        self.readable = readable


def parse_case(
    path: Path,
    body: bytes,
    full_columns: Collection[str] | None = None,
    ignored: Callable[[str], bool] | None = None,
) -> RawCase:
    """Parse the bytes of one case file.

    Args:
        path: for the messages.
        body: of the file.
        full_columns: columns after time that must have a number in every row; elsewhere an empty cell, NaN, or cells
            left out at the end of a line read as NaN. None: every column.
        ignored: whether a column after time of this name is left out; it may hold anything. None: no column is.

    Raises:
        CaseFileError: with every problem found in names, units, cells and time.
    """
    names, units, (first, end) = _header(path, body)
    problems = header_problems(path, names, units)
    if len(names) < 2:
        raise CaseFileError(problems)
    # The numbers are not copied: files may be large.
    data = memoryview(body)[first:end]
    line_ends = body.count(b"\n", first, end) + body.count(b"\r", first, end) - body.count(b"\r\n", first, end)
    cell_problems: list[Problem] = []
    used = used_columns(names, ignored)
    may_lack = [full_columns is not None and i > 0 and name not in full_columns for i, name in enumerate(names)]
    table = _read_fast(data, line_ends + 1, may_lack, used)
    if table is None:
        table, line_numbers, cell_problems = _read_cells(path, bytes(data), names, may_lack, used)
    else:
        line_numbers = np.arange(FIRST_DATA_LINE, FIRST_DATA_LINE + len(table))
    case = RawCase.of_table(names, units, used, table, line_numbers)
    readable = None if problems else case
    problems += [*cell_problems, *time_problems(path, case)]
    if problems:
        raise CaseFileError(problems, readable)
    return case


def used_columns(names: Sequence[str], ignored: Callable[[str], bool] | None) -> list[int]:
    """Positions of the columns of a file that are read: time, and those after it that are not ignored."""
    return [i for i, name in enumerate(names) if i == 0 or ignored is None or not ignored(name)]


def _header(path: Path, body: bytes) -> tuple[list[str], list[str], tuple[int, int]]:
    """Names and units of a case file, and where its numbers begin and end."""
    if problem := encoding_problem(body):
        raise CaseFileError([Problem(path, problem)])
    lines, first = first_lines(body, len(BOM) if body.startswith(BOM) else 0)
    end = end_of_text(body, first)
    if len(lines) < 2 or end == first:
        text = "line 1: names, line 2: units and numbers from line 3 on are expected; the file ends before"
        raise CaseFileError([Problem(path, text)])
    names, units = (_fields(line) for line in lines)
    return names, units, (first, end)


def _fields(line: bytes) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.decode("utf-8")]), [])]


def header_problems(path: Path, names: list[str], units: list[str]) -> list[Problem]:
    """What is wrong with the names and units of a case file's columns."""
    problems = []
    if len(names) < 2:
        found = next((repr(mark) for mark in ("\t", ";") if names and mark in names[0]), None)
        hint = (
            f"the separator looks like {found}, a comma is expected"
            if found
            else "time and at least one more column are expected"
        )
        return [Problem(path, f"line 1: {len(names)} column; {hint}", foreign=found is not None)]
    for position, name in enumerate(names, start=1):
        if not name:
            problems.append(Problem(path, f"line 1, column {position}: the name is empty"))
        elif name in names[: position - 1]:
            text = f"line 1, column {position}: the name '{name}' is already that of column {names.index(name) + 1}"
            problems.append(Problem(path, text))
    if any(units) and all(NUMBER.fullmatch(unit) for unit in units):
        return [
            *problems,
            Problem(path, "line 2: units are expected, numbers were found; add a line of units under the names"),
        ]
    if len(units) != len(names):
        problems.append(Problem(path, f"line 2: {counted(len(units), 'unit')} for {counted(len(names), 'column')}"))
    elif units[0].strip("[]()").lower() not in SECONDS:
        problems.append(
            Problem(
                path, f"line 2, column 1 ('{names[0]}'): time must be in seconds (unit 's'), the unit is '{units[0]}'"
            )
        )
    return problems


def _read_fast(data: memoryview, rows: int, may_lack: list[bool], used: list[int]) -> np.ndarray | None:
    """Read the used columns with Arrow as float64 (T, U); None if a cell is not finite or a row is not one line.

    Args:
        data: the lines of numbers.
        rows: how many lines these are.
        may_lack: whether a column may hold empty cells or NaN.
        used: positions of the columns to read.
    """
    every = [str(i) for i in range(len(may_lack))]
    keys, holes = [every[i] for i in used], np.array([may_lack[i] for i in used])
    nulls = MISSING if holes.any() else []
    values, filled = np.empty((rows, len(used))), 0
    try:
        blocks = pa_csv.open_csv(
            pa.BufferReader(pa.py_buffer(data)),
            read_options=pa_csv.ReadOptions(column_names=every, use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.float64()), null_values=nulls, include_columns=keys
            ),
        )
        for block in blocks:
            part = values[filled : filled + block.num_rows]
            filled += block.num_rows
            if filled > rows:
                return None
            for i, column in enumerate(block.columns):
                part[:, i] = column.to_numpy(zero_copy_only=False)
            if not (np.isfinite(part) | (np.isnan(part) & holes)).all():
                return None
    except pa.ArrowInvalid:
        return None
    return values if filled == rows else None


def _read_cells(
    path: Path, data: bytes, names: list[str], may_lack: list[bool], used: list[int]
) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """Read cell by cell, and collect the problems per column and kind with their lines.

    Returns:
        Cells of the used columns (T, U), NaN where there is no number; the line of each row (T,); the problems.
    """
    read = set(used)
    found: dict[tuple[int, str], list[int]] = {}
    texts: dict[tuple[int, str], dict[str, None]] = {}
    rows: list[list[float]] = []
    lines: list[int] = []
    # Bare carriage returns end lines here because they do so for Arrow.
    reader = csv.reader(io.StringIO(LINE_END.sub(b"\n", data).decode("utf-8")))
    line = FIRST_DATA_LINE
    for cells in reader:
        row = [float("nan")] * len(names)
        if cells and all(may_lack[len(cells) :]):
            cells += [""] * (len(names) - len(cells))
        if len(cells) != len(names):
            kind = f"{len(cells)} cells, {len(names)} expected" if cells else "empty line"
            found.setdefault((-1, kind), []).append(line)
        else:
            for position, cell in enumerate(map(str.strip, cells)):
                if position not in read or (may_lack[position] and cell.lower() in MISSING):
                    continue
                problem = _cell_problem(cell)
                if problem:
                    found.setdefault((position, problem), []).append(line)
                    texts.setdefault((position, problem), {})[cell[:30]] = None
                else:
                    row[position] = float(cell)
        rows.append(row)
        lines.append(line)
        line = FIRST_DATA_LINE + reader.line_num
    problems = []
    for (position, kind), at in sorted(found.items()):
        where = "" if position < 0 else f", column {position + 1} ({names[position]!r})"
        seen = list(texts.get((position, kind), ()))
        what = kind.format(repr(seen[0]) + (f" (and {len(seen) - 1} more)" if len(seen) > 1 else "")) if seen else kind
        problems.append(Problem(path, f"{line_ranges(at)}{where}: {what}"))
    return np.array(rows)[:, used], np.array(lines), problems


def _cell_problem(cell: str) -> str | None:
    """The problem of a cell, with ``{}`` as placeholder of its text; None for a valid number."""
    if NUMBER.fullmatch(cell):
        return None if np.isfinite(float(cell)) else "the number is too large"
    if not cell:
        return "empty cell"
    if cell.lower().lstrip("+-") in ("nan", "inf", "infinity", "n/a", "na", "null", "none"):
        return "{} is no number"
    return "text {} where a number is expected"


def time_problems(path: Path, case: RawCase) -> list[Problem]:
    """What is wrong with the time of a case: fewer than two rows, or rows where it does not increase."""
    if len(case.time) < 2:
        return [Problem(path, "one row of numbers only; a case needs at least two")]
    readable = np.isfinite(case.time)
    time, lines = case.time[readable], case.lines[readable]
    back = np.flatnonzero(time[1:] <= time[:-1]) + 1
    if not len(back):
        return []
    first = back[0]
    return [
        Problem(
            path,
            f"{line_ranges(lines[back].tolist())}, column 1 ({case.time_name!r}): time does not increase "
            f"(first from {time[first - 1]:g} to {time[first]:g} s)",
        )
    ]
