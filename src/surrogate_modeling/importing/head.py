"""The head of a text file: which of its lines holds the names, which the units."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.common.wording import counted
from surrogate_modeling.importing.cells import is_missing, is_number
from surrogate_modeling.importing.header import bare_unit, is_unit_row, split_name
from surrogate_modeling.importing.raw_table import BadFile, ReadOptions
from surrogate_modeling.importing.time_axis import TIME_NAMES

COMMENT_MARK = re.compile(r"^\s*(#+|%+|!+|//+|\*+)\s*")
WIDE_GAP = re.compile(r"\t|\s{2,}")
WORD_WITH_UNIT = re.compile(r'"[^"]*"|[^\s\[(]+(?:\s*[\[(][^\])]*[\])])?')
# Lines above the rows that may be names, units or descriptions.
MOST_LINES = 4
# A line of a preamble has few of its cells filled, by chance as many as the table.
LEAST_FILLED = 0.6
# As in lines of units; 時間 is left out, which is also a name of time.
TIME_UNITS = frozenset(("s", "sec", "Sec", "ms", "us", "µs", "μs", "ns", "min", "h", "hr", "d", "秒", "分"))
# Name of a column of row numbers that has none.
INDEX = "index"
Splitter = Callable[[str], list[str]]


@dataclass(frozen=True)
class Head:
    """Names and units of the columns, and the lines that hold them (from 1; 0: none)."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    header_row: int
    unit_row: int
    trailing: bool
    remarks: tuple[str, ...]


def find_head(lines: Sequence[str], split: Splitter, rows: list[list[str]], options: ReadOptions, source: str) -> Head:
    """Find names and units above the rows.

    Args:
        lines: above the first row.
        split: a line into cells.
        rows: of cells, all of one number.
        options: keys that replace guesses.
        source: of the file, for messages.

    Raises:
        BadFile: a line given by a key does not fit the rows.
    """
    if not rows:
        raise BadFile(source, f"line {len(lines) + 1}: no rows of numbers under the head")
    width = len(rows[0])
    trailing = all(not row[-1] for row in rows)
    candidates = _candidates(lines, split, width - trailing)
    header, unit = _choose(candidates)
    header = _given(options.header_row, header, candidates, (lines, split), ("header_row", source))
    unit = _given(options.unit_row, unit, candidates, (lines, split), ("unit_row", source))
    remarks = []
    names = candidates.get(header, [])
    if not names:
        if options.header_row is None:
            _refuse_misfit(lines, split, width, source)
        names = [f"column {i + 1}" for i in range(width - trailing)]
        remarks.append("there is no line of names: columns are called after their place")
    names, trailing = _fitted(names, rows, trailing, (header, source))
    if not names[0] and all(row[0].isdigit() for row in rows):
        names = [INDEX, *names[1:]]
    names, renamed = _distinct(names)
    units = _units(candidates.get(unit, []), len(names), (unit, source))
    if others := sorted(candidates.keys() - {header, unit}):
        verb = "is" if len(others) == 1 else "are"
        remarks.append(f"{line_ranges(others)} of the head {verb} neither names nor units and {verb} left out")
    return Head(tuple(names), tuple(units), header, unit, trailing, (*remarks, *renamed))


def _refuse_misfit(lines: Sequence[str], split: Splitter, width: int, source: str) -> None:
    """Refuse a line of several cells right above the rows that has more or fewer than these.

    Raises:
        BadFile: there is one.
    """
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if filled and not COMMENT_MARK.match(lines[filled[-1] - 1]) and (count := len(split(lines[filled[-1] - 1]))) > 1:
        raise BadFile(
            source,
            f"line {filled[-1]}: {count} names for {width} columns; mend the line, or give header_row=<line> (0: there "
            "is none)",
        )


def _candidates(lines: Sequence[str], split: Splitter, width: int) -> dict[int, list[str]]:
    """Lines (from 1) above the rows with about as many cells, from the last upward."""
    found: dict[int, list[str]] = {}
    for number in range(len(lines), 0, -1):
        line = lines[number - 1]
        if not line.strip():
            continue
        cells = _fitting(line, split, width)
        if cells is None or len(found) == MOST_LINES:
            break
        found[number] = cells
    return found


def _fitting(line: str, split: Splitter, width: int) -> list[str] | None:
    """The cells of a line of the head if they are as many as the columns, in one of the ways to split it."""
    bare = COMMENT_MARK.sub("", line)
    ways = [split(line), split(bare), [cell for cell in WIDE_GAP.split(bare.strip()) if cell]]
    if bare != line:
        # Names in a comment may have a separator of their own.
        ways += [[cell.strip() for cell in bare.split(mark)] for mark in ",;\t"]
    if bare.strip().startswith('("'):  # as Fluent writes them
        ways.append(split(bare.strip()[1:].rstrip(") ")))
    words = [word.strip('"').strip() for word in WORD_WITH_UNIT.findall(bare)]
    for cells in (*ways, words if split("a b") == ["a", "b"] else []):
        # Behind the last separator, or a name for remarks of which there are none.
        extra = len(cells) == width + 1 and cells[-1].lower() in ("", "comment", "comments", "remarks")
        fewer = cells[:-1] if extra else cells
        filled = sum(map(bool, fewer)) >= LEAST_FILLED * width or is_unit_row(fewer)
        if len(fewer) in (width, width - 1) and len(fewer) >= 1 and filled:
            # One less: the column of row numbers has no name.
            if len(fewer) == width - 1 and width == 2:
                continue
            return fewer
    return None


def _choose(candidates: dict[int, list[str]]) -> tuple[int, int]:
    """Lines of names and of units, from the last line of the head upward; 0 where there is none."""
    numbers = [n for n, cells in candidates.items() if not all(is_number(cell) or is_missing(cell) for cell in cells)]
    if not numbers:
        return 0, next((n for n, cells in candidates.items() if is_unit_row(cells)), 0)
    texts = [candidates[number] for number in numbers]
    for place, cells in enumerate(texts[:3]):
        known = is_unit_row(cells)
        above = texts[place + 1] if place + 1 < len(texts) else []
        if above and ((known and _are_names(above)) or _has_unit_of_time(cells, above)):
            return numbers[place + 1], numbers[place]
        if place > 0 and (known or _has_unit_of_time(cells, texts[place - 1])):
            return numbers[place - 1], numbers[place]
    if len(texts) > 1 and _are_names(texts[1]) and not _are_names(texts[0]):
        # Units of an unknown kind repeat themselves or leave cells empty; names do not.
        return numbers[1], numbers[0]
    return numbers[0], 0


def _has_unit_of_time(cells: list[str], names: list[str]) -> bool:
    """Whether a line holds a unit of time beside a name of time, or as its first unit beside names: it is of units.

    The other units need not be known: MPaG, m3N/h.
    """
    width = max(len(cells), len(names))
    # The column of row numbers may have no name.
    units = [*[""] * (width - len(cells)), *map(bare_unit, cells)]
    names = [*[""] * (width - len(names)), *names]
    timed = [narrow(split_name(name)[0]).lower() in TIME_NAMES for name in names]
    if any(unit in TIME_UNITS and of_time for unit, of_time in zip(units, timed, strict=True)):
        return True
    # Among names, h and s may be enthalpy and entropy.
    if any(unit.lower() in TIME_NAMES for unit in units):
        return False
    first = next((place for place, unit in enumerate(units) if not is_missing(unit)), 0)
    return units[first] in TIME_UNITS and names[first] not in TIME_UNITS and _are_names(names)


def _are_names(cells: list[str]) -> bool:
    """Whether every cell is filled, none a number, and no two are equal."""
    filled = [cell for cell in cells if cell]
    return len(filled) >= len(cells) - 1 and len(set(filled)) == len(filled) and not any(map(is_number, filled))


def _given(
    key: int | None,
    guessed: int,
    candidates: dict[int, list[str]],
    text: tuple[Sequence[str], Splitter],
    where: tuple[str, str],
) -> int:
    """The line that a key gives, added to the candidates, or the one that was guessed."""
    if key is None or key == guessed:
        return guessed
    lines, split = text
    if key > len(lines):
        raise BadFile(where[1], f"{where[0]}={key}: the rows of numbers begin at line {len(lines) + 1}")
    if key:
        candidates[key] = split(COMMENT_MARK.sub("", lines[key - 1]))
    return key


def _fitted(names: list[str], rows: list[list[str]], trailing: bool, where: tuple[int, str]) -> tuple[list[str], bool]:
    """Names for every column: that of the row numbers, which may have none, is named ``index``."""
    width = len(rows[0])
    line, source = where
    if len(names) == width and trailing and names[-1]:
        return names, False
    if len(names) == width and not trailing:
        return names, False
    names = names[: width - 1] if len(names) == width else names
    if len(names) == width - 1 and trailing:
        return names, True
    if len(names) == width - 1 and all(row[0].isdigit() for row in rows):
        return [INDEX, *names], False
    if len(names) == width - 2 and trailing and all(row[0].isdigit() for row in rows):
        return [INDEX, *names], True
    raise BadFile(
        source,
        f"line {line}: {counted(len(names), 'name')} for {counted(width, 'column')}; mend the line or give "
        "header_row=...",
    )


def _distinct(names: list[str]) -> tuple[list[str], list[str]]:
    """Names of which none is empty or taken: a number is added, and said."""
    taken: set[str] = set()
    made, remarks = [], []
    for place, name in enumerate(names, start=1):
        plain = name or f"column {place}"
        stem, unit = split_name(plain)
        # Before a unit in brackets, which would be none behind them.
        end = "" if unit is None else plain[len(stem) :]
        new, count = plain, 2
        while new in taken:
            new, count = f"{stem} {count}{end}", count + 1
        taken.add(new)
        made.append(new)
        if name and new != name:
            remarks.append(f"column {place} has the name '{name}' of another column and is called '{new}'")
    return made, remarks


def _units(cells: list[str], width: int, where: tuple[int, str]) -> list[str]:
    if not cells:
        return []
    if len(cells) == width - 1:
        return ["", *map(bare_unit, cells)]
    if len(cells) != width:
        raise BadFile(where[1], f"line {where[0]}: {len(cells)} units for {width} columns; mend it or give unit_row=0")
    return [bare_unit(cell) for cell in cells]
