"""Reads Excel workbooks (.xlsx, .xlsm), a table for each sheet: names, perhaps units under them, then numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import as_columns, chosen_parts, refuse_duplicates, time_in

if TYPE_CHECKING:
    import openpyxl

Row = Sequence[object]
# What Excel shows for a formula without a result.
ERRORS = ("#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!", "#GETTING_DATA")
# A longer text under a name is no unit.
LONGEST_UNIT = 20


@dataclass(frozen=True)
class Layout:
    """Lines of a sheet, from 1; 0: there is no such line."""

    names: int
    units: int
    first: int


def read_excel(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read the sheets of a workbook; those without numbers are left out, and the first table says so.

    Raises:
        BadFile: no workbook, a sheet without a table, or cells that cannot be used.
    """
    import openpyxl

    source = options.source(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises what its XML and ZIP readers do
        raise BadFile(source, f"no Excel workbook that can be read ({error}); save it again as .xlsx") from None
    try:
        sheets = [sheet.title for sheet in book.worksheets]
        wanted = chosen_parts(sheets, options.parts, source, "sheets")
        rows = {name: _rows(book, name) for name in wanted}
    finally:
        book.close()
    filled = {name: cells for name, cells in rows.items() if cells}
    if not filled:
        raise BadFile(source, "every sheet is empty")
    left_out = [f"sheet {name!r} is empty and was left out" for name in wanted if name not in filled]
    tabular = {name: cells for name, cells in filled.items() if options.parts or any(map(_is_data, cells))}
    # Where no sheet holds numbers, reading one of them says so.
    if tabular:
        left_out += [f"sheet {name!r} has no row of numbers and was left out" for name in filled if name not in tabular]
        filled = tabular
    tables: list[RawTable] = []
    for name, cells in filled.items():
        part = name if len(filled) > 1 else ""
        tables.append(_table(path, options, name, part, cells, () if tables else tuple(left_out)))
    return tables


def refuse_old(path: Path, options: ReadOptions) -> list[RawTable]:
    """Refuse a workbook of a format that needs another library.

    Raises:
        BadFile: always.
    """
    raise BadFile(options.source(path), f"{path.suffix} workbooks are not read; save it as .xlsx or as CSV")


def _rows(book: openpyxl.Workbook, name: str) -> list[Row]:
    """The rows of a sheet, without empty ones at its end and without the empty columns that formats leave."""
    sheet = book[name]
    # Some programs write a wrong size of the sheet, which would cut it.
    sheet.reset_dimensions()
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    while rows and all(_blank(cell) for cell in rows[-1]):
        rows.pop()
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if not _blank(cell)), default=0)
    return [[*row[:width], *[None] * (width - len(row))] for row in rows]


def _table(
    path: Path, options: ReadOptions, sheet: str, part: str, rows: list[Row], remarks: tuple[str, ...]
) -> RawTable:
    import pandas as pd

    source = options.source(path, sheet)
    layout = find_layout(rows, options, source)
    body = rows[layout.first - 1 :]
    used = [i for i in range(len(rows[0])) if not all(_blank(row[i]) for row in [*body, _line(rows, layout.names)])]
    names = _names(rows, layout, used)
    refuse_duplicates(names, source)
    empty = [name for name, i in zip(names, used, strict=True) if all(_blank(row[i]) for row in body)]
    if empty:
        _refuse_formulas(path, sheet, source, empty)
    cells, failed = {}, []
    for name, i in zip(names, used, strict=True):
        column = [None if _blank(row[i]) else row[i] for row in body]
        failed += [f"{_letters(i)}{layout.first + at}" for at, cell in enumerate(column) if cell in ERRORS]
        cells[name] = pd.Series([None if cell in ERRORS else cell for cell in column], dtype=object)
    frame, units = as_columns(pd.DataFrame(cells), source)
    if failed:
        remarks = (*remarks, f"cells {names_and_rest(failed, 5)} hold an error of a formula: taken as empty")
    if layout.units:
        line = _line(rows, layout.units)
        units |= {name: str(line[i]).strip() for name, i in zip(names, used, strict=True) if not _blank(line[i])}
    return RawTable(
        source, frame, units, time=time_in(frame), lines=layout.first, part=part, remarks=remarks
    )  # fmt: skip


def find_layout(rows: list[Row], options: ReadOptions, source: str) -> Layout:
    """Find the lines of names, units and first numbers.

    The first row with more numbers than texts is the first of the table, or with as many, unless it begins with a text
    above numbers, as ``Sample rate | 10`` does. The names stand above it, or one line higher where the line between
    holds short texts under names that fill the table's width: the units.

    Args:
        rows: of the sheet, of one length.
        options: lines given by the user.
        source: for messages.

    Raises:
        BadFile: no row of numbers, or a line given that is not there.
    """
    for key, line in (("header_row", options.header_row), ("unit_row", options.unit_row)):
        if line is not None and line > len(rows):
            raise BadFile(source, f"{key}={line}: the sheet has {len(rows)} rows")
    below = max(options.header_row or 0, options.unit_row or 0)
    first = next((i + 1 for i, row in enumerate(rows) if i >= below and _is_data(row) and not _is_remark(rows, i)), 0)
    if not first:
        raise BadFile(source, "no row of numbers; choose the sheets that hold a table with parts=[...]")
    names, units = options.header_row, options.unit_row
    if names is None:
        above = [i + 1 for i, row in enumerate(rows[: first - 1]) if _texts_in(row)]
        names = above[-1] if above else 0
        over = names - 2
        is_names = len(above) > 1 and above[-2] == names - 1 and not _is_remark(rows, over)
        if units is None and is_names and _is_units(rows[names - 1], rows[over]):
            names, units = names - 1, names
        elif units == names:
            names = above[-2] if len(above) > 1 else 0
    elif units is None and 0 < names < first - 1 and _is_units(rows[names], rows[names - 1]):
        units = names + 1
    return Layout(names, units or 0, first)


def _is_data(row: Row) -> bool:
    return _numbers_in(row) >= max(1, _texts_in(row))


def _is_remark(rows: list[Row], place: int) -> bool:
    """Whether a row with as many texts as numbers begins with a text where the rows of numbers below have a number."""
    row = rows[place]
    first = next(i for i, cell in enumerate(row) if not _blank(cell))
    if _numbers_in(row) != _texts_in(row) or not isinstance(row[first], str):
        return False
    below = [other for other in rows[place + 1 :] if not _blank(other[first])]
    below = [other for other in below if _numbers_in(other) > _texts_in(other)] or below
    return 2 * sum(isinstance(other[first], str) for other in below) < len(below)


def _numbers_in(row: Row) -> int:
    """Cells of numbers, dates and failed formulas."""
    return sum(not _blank(cell) and (not isinstance(cell, str) or cell in ERRORS) for cell in row)


def _texts_in(row: Row) -> int:
    return sum(isinstance(cell, str) and not _blank(cell) and cell not in ERRORS for cell in row)


def _is_units(line: Row, above: Row) -> bool:
    """Whether a line of text may hold the units of the names above it."""
    short = all(_blank(cell) or len(str(cell).strip()) <= LONGEST_UNIT for cell in line)
    named = [i for i, cell in enumerate(line) if not _blank(cell)]
    distinct = {str(cell).strip() for cell in above if not _blank(cell)}
    return short and all(not _blank(above[i]) for i in named) and len(distinct) == sum(not _blank(c) for c in above) > 1


def _names(rows: list[Row], layout: Layout, used: list[int]) -> list[str]:
    line = _line(rows, layout.names)
    return [f"column {_letters(i)}" if _blank(line[i]) else str(line[i]).strip() for i in used]


def _line(rows: list[Row], number: int) -> Row:
    return rows[number - 1] if number else [None] * len(rows[0])


def _blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _letters(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(column + 1))


def _refuse_formulas(path: Path, sheet: str, source: str, columns: list[str]) -> None:
    """Refuse a sheet whose empty columns hold formulas that no spreadsheet has computed.

    Raises:
        BadFile: they do.
    """
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    try:
        formulas = any(
            isinstance(cell, str) and cell.startswith("=")
            for row in book[sheet].iter_rows(values_only=True)
            for cell in row
        )
    finally:
        book.close()
    if formulas:
        shown = names_and_rest(map(repr, columns), 5)
        raise BadFile(source, f"columns {shown} hold formulas without results; open the file in Excel and save it")
