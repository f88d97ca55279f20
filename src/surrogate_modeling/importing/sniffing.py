"""Find how a text file is written: separator, decimal mark, names, units, and where its rows begin.

The rows are the lines at the end of the sample that have one number of cells, with numbers or dates in the same ones;
what stands above them is the head.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.importing.cells import GROUPS, SPACES, is_date, is_missing, is_number
from surrogate_modeling.importing.head import find_head
from surrogate_modeling.importing.raw_table import BadFile, ReadOptions

# In order of preference where two fit equally; a space stands for runs of white space.
SEPARATORS = ("\t", ";", ",", "|", " ")
# As given by the key `separator`.
SEPARATOR_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "spaces": " ", "pipe": "|"}
COMMENT = re.compile(r"\s*(#|%|!|//|\*)")
QUOTED_OR_WORD = re.compile(r'"[^"]*"|\S+')
# Lines at the end of the sample that show what rows look like.
TAIL_LINES = 100
# Share of a column's cells that must be numbers or dates for the column to be one of these.
USUAL_SHARE = 0.8
# Lines that a cell in quotes may go over.
MOST_BREAKS = 20


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes:
        encoding: of its bytes.
        separator: of cells; a space for runs of white space.
        decimal: mark of decimals.
        thousands: mark between groups of three digits; empty: there is none.
        names: of the columns, as written in the file; made up where there is no line of names.
        units: of the columns; empty where there is no line of units.
        first_row: line of the first row, from 1.
        header_row: line of the names; 0: there is none.
        unit_row: line of the units; 0: there is none.
        numeric: whether each column holds numbers.
        trailing: whether each row ends with a separator, behind which there is no column.
        remarks: what the user should know about the head.
    """

    encoding: str
    separator: str
    decimal: str
    thousands: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    first_row: int
    header_row: int
    unit_row: int
    numeric: tuple[bool, ...]
    trailing: bool
    remarks: tuple[str, ...] = ()


# A number with marks of thousands.
GROUPED = re.compile(rf"[+-]?{GROUPS}(?:[.,]\d*)?")


def split_line(line: str, separator: str) -> list[str]:
    """The cells of a line, without quotes and outer blanks."""
    if separator == " ":
        return [cell.strip('"') for cell in QUOTED_OR_WORD.findall(line)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]


def sniff(lines: Sequence[str], encoding: str, options: ReadOptions, source: str) -> Dialect:
    """Find the dialect of a file from its first lines.

    Args:
        lines: of the file, without line ends; a last one that may be cut is left out.
        encoding: of the file.
        options: keys that replace guesses.
        source: of the file, for messages.

    Raises:
        BadFile: no separator gives a table.
    """
    separator = _separator(lines, options, source)
    cells = [[*map(narrow, split_line(line, separator))] if _is_row(line) else [] for line in lines]
    width = _width(_tail(cells))
    kinds = _kinds(_tail([row for row in cells if len(row) == width], share=4), width)
    first = _first_row(cells, width, kinds)
    rows = [row for row in cells[first:] if len(row) == width]
    decimal, thousands = number_marks(rows, separator, options.decimal)
    above, breaks = _joined(lines[:first], separator)
    head = find_head(above, lambda line: split_line(line, separator), rows, options, source)
    broken = [breaks[line] for line in sorted({head.header_row, head.unit_row}) if line in breaks]
    said = [f"{line_ranges(span)} of the head are one: line breaks in quotes are taken as blanks" for span in broken]
    return Dialect(
        encoding,
        separator,
        decimal,
        thousands,
        head.names,
        head.units,
        first + 1,
        head.header_row,
        head.unit_row,
        tuple(kind == "number" for kind in kinds[: len(head.names)]),
        head.trailing,
        (*said, *head.remarks),
    )


def _joined(lines: Sequence[str], separator: str) -> tuple[list[str], dict[int, range]]:
    """Lines of the head without the line breaks that quotes hold, and which lines (from 1) each of several held.

    A joined line stands in place of its first; the others are empty, so that all keep their numbers.
    """
    joined, breaks, at = [*lines], dict[int, range](), 0
    while at < len(lines):
        text, end = lines[at], at + 1
        while not _closed(text, separator) and end < min(len(lines), at + MOST_BREAKS):
            text, end = f"{text.rstrip()} {lines[end].lstrip()}", end + 1
        if end == at + 1 or not _closed(text, separator):
            at += 1
            continue
        joined[at:end] = [text, *[""] * (end - at - 1)]
        breaks[at + 1] = range(at + 1, end + 1)
        at = end
    return joined, breaks


def _closed(line: str, separator: str) -> bool:
    """Whether a line is whole: every quote that opens a cell closes it."""
    try:
        next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return False
    return True


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not COMMENT.match(line)


def _separator(lines: Sequence[str], options: ReadOptions, source: str) -> str:
    if options.separator is not None:
        given = SEPARATOR_WORDS.get(options.separator, options.separator)
        if len(given) != 1:
            raise BadFile(source, f"separator={options.separator}: one character, tab or spaces is expected")
        return given
    best, score = "", 0.0
    for separator in SEPARATORS:
        found = _score([split_line(line, separator) for line in lines if _is_row(line)])
        if found > score + 1e-9:
            best, score = separator, found
    if not best:
        raise BadFile(source, _why_no_table(lines))
    return best


def _score(cells: list[list[str]]) -> float:
    """Share of the last rows that have the usual number of cells, times the share of numbers and dates in these."""
    tail = _tail(cells)
    width = _width(tail)
    if width < 2:
        return 0.0
    rows = [row for row in tail if len(row) == width]
    values = [cell for row in rows for cell in row if not is_missing(cell)]
    valid = sum(map(_is_value, values))
    return len(rows) / len(tail) * valid / max(len(values), 1) if valid else 0.0


def _is_value(cell: str) -> bool:
    return is_number(cell) or is_date(cell)


def _why_no_table(lines: Sequence[str]) -> str:
    rows = [line for line in lines if line.strip()]
    if not rows:
        return "the file is empty"
    if any(is_number(line) for line in rows[-3:]):
        return f"line {len(lines)}: one number to a line; a table needs time and at least one more column"
    return (
        f"{line_ranges(range(1, len(lines) + 1))}: no rows of numbers are found with a comma, semicolon, tab, | or "
        "spaces between the cells; is it a table of time series? separator=..., header_row=... say how it is written"
    )


def _tail(cells: list[list[str]], share: int = 2) -> list[list[str]]:
    """The last rows; of a short file its last half or quarter, above which a long head may stand."""
    filled = [row for row in cells if row]
    return filled[-min(TAIL_LINES, max(1, (len(filled) + 1) // share)) :]


def _width(tail: list[list[str]]) -> int:
    counts = Counter(len(row) for row in tail)
    # The first of equally frequent ones may be a line of the head.
    return max(counts, key=lambda count: (counts[count], count)) if counts else 0


def _kinds(rows: list[list[str]], width: int) -> list[str]:
    """Whether each column holds numbers, dates, text or nothing."""
    found = []
    for column in range(width):
        values = [row[column] for row in rows if not is_missing(row[column])]
        numbers, dates = sum(map(is_number, values)), sum(map(is_date, values))
        if not values or numbers >= USUAL_SHARE * len(values):
            found.append("number")
        else:
            found.append("date" if dates >= USUAL_SHARE * len(values) else "text")
    return found


def _first_row(cells: list[list[str]], width: int, kinds: list[str]) -> int:
    """Position of the first line that looks like the last ones."""
    matches = {"number": is_number, "date": is_date, "text": lambda _: True}
    firm = [column for column, kind in enumerate(kinds) if kind != "text"]
    for position, row in enumerate(cells):
        if len(row) != width:
            continue
        valid = [is_missing(row[column]) or matches[kinds[column]](row[column]) for column in firm]
        values = [column for column in firm if not is_missing(row[column])]
        # A wrong cell in the first row is an error of that row, not a line of the head.
        if values and sum(valid) > 0.5 * len(firm) and matches[kinds[values[0]]](row[values[0]]):
            return position
    return len(cells)


def number_marks(rows: list[list[str]], separator: str, decimal: str | None) -> tuple[str, str]:
    """Mark of decimals and mark of thousands in rows of cells."""
    numbers = [cell for row in rows for cell in row if is_number(cell)]
    grouped = [cell for cell in numbers if GROUPED.fullmatch(cell)]
    spaces = next((mark for cell in grouped for mark in cell if mark in f"{SPACES}'’"), "")
    commas = [cell for cell in numbers if "," in cell]
    both = [cell for cell in commas if "." in cell]
    if decimal is None:
        # The last mark of 1.234,5 and 1,234.5 is that of the decimals.
        if both:
            commas_last = sum(cell.rfind(",") > cell.rfind(".") for cell in both)
            decimal = "," if commas_last > len(both) / 2 else "."
        else:
            points = any("." in cell for cell in numbers)
            decimal = "," if any(_decimal_comma(cell, separator) for cell in commas) and not points else "."
    other = "," if decimal == "." else "."
    thousands = other if any(other in cell for cell in grouped) and not spaces else spaces
    if thousands == other and not both and any(other in c and c not in set(grouped) for c in numbers):
        thousands = ""
    return decimal, thousands


def _decimal_comma(cell: str, separator: str) -> bool:
    """Whether the comma of a number is no mark of thousands; ``1,234`` is taken for decimals unless commas separate."""
    digits = cell.lstrip("+-")
    if cell.count(",") > 1:
        return False
    groups = re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits)
    return groups is None or separator != ","
