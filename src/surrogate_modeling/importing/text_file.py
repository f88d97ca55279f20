"""Read text files of any dialect as tables, whole or in blocks of rows.

Arrow parses the rows; columns of numbers in a usual notation become numbers at once, all others pass through
:func:`surrogate_modeling.importing.cells.to_numbers`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.importing.cells import MISSING, to_numbers
from surrogate_modeling.importing.encoding import detect
from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.row_stream import opened_rows, undecodable
from surrogate_modeling.importing.sniffing import COMMENT, Dialect, sniff

SAMPLE_BYTES = 300_000
BLOCK_BYTES = 8_000_000
# Less text than this in a column of numbers is wrong cells.
WRONG_SHARE = 0.5
# Cells that Arrow reads as missing, in the cases that occur.
NULLS = sorted({form for cell in MISSING for form in (cell, cell.upper(), cell.capitalize(), "NaN", "N/A")})


def read(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read a text file as one table.

    Raises:
        BadFile: no table, or a line that is no row.
    """
    blocks = list(read_blocks(path, options))
    frame = blocks[0].frame if len(blocks) == 1 else pd.concat([block.frame for block in blocks], ignore_index=True)
    remarks = dict.fromkeys(remark for block in blocks for remark in block.remarks)
    lines = np.concatenate([block.line_numbers for block in blocks if block.line_numbers is not None])
    return [replace(blocks[0], frame=frame, line_numbers=lines, remarks=tuple(remarks))]


def dialect_of(path: Path, options: ReadOptions) -> Dialect:
    """Find how a text file is written.

    Raises:
        BadFile: it is empty, no text, or no separator gives a table.
    """
    source = options.source(path)
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
            complete = not file.read(1)
    except OSError as error:
        raise BadFile(source, f"cannot be read: {error.strerror}") from None
    if not sample.strip():
        raise BadFile(source, "the file is empty")
    likely, guessed = detect(sample, complete)
    encoding = options.encoding or likely
    try:
        # This knows the encodings of text among all codecs.
        "".encode(encoding)
        text = codecs.getincrementaldecoder(encoding)().decode(sample, complete)
    except LookupError:
        raise BadFile(source, f"encoding={encoding}: no such encoding; e.g. utf-8, cp932, latin-1") from None
    except UnicodeDecodeError:
        raise BadFile(source, undecodable(path, encoding)) from None
    if "\x00" in text:
        raise BadFile(source, "not text: NUL bytes; its ending does not say which format it has")
    lines = re.split(r"\r\n|\n|\r", text)
    if not complete:
        lines.pop()
    found = sniff([*lines[:-1], *filter(None, lines[-1:])], encoding, options, source)
    said = []
    if guessed and not options.encoding:
        said = [f"encoding {encoding} is a guess; encoding=... says otherwise"]
    elif not guessed and not sample.isascii() and codecs.lookup(likely) != codecs.lookup(encoding):
        said = [f"the file is written in {likely} by its bytes, and read in {encoding} as encoding=... says"]
    return replace(found, remarks=(*found.remarks, *said))


def read_blocks(path: Path, options: ReadOptions, block_bytes: int = BLOCK_BYTES) -> Iterator[RawTable]:
    """Read a text file in blocks of rows; ``lines`` is the place of the first row of each.

    Raises:
        BadFile: no table, or a line that is no row.
    """
    dialect = dialect_of(path, options)
    source = options.source(path)
    taken = 0
    units = {name: unit for name, unit in zip(dialect.names, dialect.units, strict=False) if unit}
    for part in _parts(path, dialect, options, block_bytes):
        first = int(part.lines[0]) if len(part.lines) else dialect.first_row
        remarks = (*dialect.remarks, *([part.remark] if part.remark else []))
        table = RawTable(source, part.frame, units, lines=first, line_numbers=part.lines, remarks=remarks, typed=True)
        yield replace(table, share=part.share)
        taken += len(part.frame)
        if options.rows is not None and taken >= options.rows:
            return
    if not taken:
        raise BadFile(source, f"line {dialect.first_row}: no rows of numbers under the head")


@dataclass(frozen=True)
class _Part:
    """A block of rows, the line of each, what was done, and the share of the file that has been read with it."""

    frame: pd.DataFrame
    lines: np.ndarray
    remark: str = ""
    share: float = 1.0


@dataclass
class _Skipped:
    """Lines that are no rows, counted from the first row: other numbers of cells, and comments."""

    width: int
    bad: list[tuple[int, str]] = field(default_factory=list)
    quiet: list[int] = field(default_factory=list)
    position: int = 0
    last_row: int = 0

    def note(self, row: pa_csv.InvalidRow) -> str:
        """Collect a line that has not as many cells as the others."""
        text = row.text or ""
        if COMMENT.match(text):
            self.quiet.append(row.number)
        else:
            self.bad.append((row.number, text))
        return "skip"

    def take(self, count: int) -> np.ndarray:
        """Places of the next lines with as many cells as the others, or none, from 1."""
        left_out = np.array([*self.quiet, *(number for number, _ in self.bad)], dtype=int)
        left_out = left_out[left_out > self.position]
        candidates = np.arange(self.position + 1, self.position + 1 + count + len(left_out))
        places = candidates[~np.isin(candidates, left_out)][:count]
        self.position = int(places[-1]) if count else self.position
        return places

    def cut_line(self, first_row: int, source: str) -> str:
        """The remark about a last line that is cut; empty where there is none.

        Raises:
            BadFile: another line than the last has more or fewer cells.
        """
        if not self.bad:
            return ""
        number, text = self.bad[0]
        if len(self.bad) == 1 and number > self.last_row:
            return f"line {first_row + number - 1}, the last, is cut ({text[:40]!r}) and is left out"
        places = line_ranges([first_row + number - 1 for number, _ in self.bad])
        raise BadFile(
            source,
            f"{places}: not {self.width} cells as in the other rows (the first is {text[:60]!r}); mend or remove them",
        )


def _parts(path: Path, dialect: Dialect, options: ReadOptions, block_bytes: int) -> Iterator[_Part]:
    """Blocks as frames, read as numbers as far as possible, from the first cell of another notation on as text."""
    source = options.source(path)
    done = 0
    try:
        if not dialect.thousands:
            for part in _arrow_blocks(path, dialect, options, block_bytes, fast=True):
                done += len(part.frame)
                yield part
            return
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise BadFile(source, _arrow_reason(error, dialect)) from None
    try:
        for part in _arrow_blocks(path, dialect, options, block_bytes, fast=False):
            if done and done >= len(part.frame):
                done -= len(part.frame)
                continue
            yield _Part(part.frame.iloc[done:].reset_index(drop=True), part.lines[done:], part.remark) if done else part
            done = 0
    except pa.ArrowInvalid as error:
        raise BadFile(source, _arrow_reason(error, dialect)) from None


def _arrow_blocks(
    path: Path, dialect: Dialect, options: ReadOptions, block_bytes: int, *, fast: bool
) -> Iterator[_Part]:
    source = options.source(path)
    names = [*dialect.names, *([""] if dialect.trailing else [])]
    keys, numeric = [str(i) for i in range(len(names))], [*dialect.numeric, *([False] if dialect.trailing else [])]
    types = {key: pa.float64() if fast and number else pa.string() for key, number in zip(keys, numeric, strict=True)}
    skipped, size = _Skipped(len(names)), max(1, path.stat().st_size)
    separator = "\t" if dialect.separator == " " else dialect.separator
    try:
        with opened_rows(path, dialect, block_bytes) as file:
            blocks = pa_csv.open_csv(
                file,
                pa_csv.ReadOptions(column_names=keys, use_threads=False, block_size=block_bytes),
                pa_csv.ParseOptions(delimiter=separator, invalid_row_handler=skipped.note, ignore_empty_lines=False),
                pa_csv.ConvertOptions(
                    column_types=types,
                    null_values=[*NULLS, *options.no_number],
                    strings_can_be_null=False,
                    decimal_point=dialect.decimal,
                    include_columns=keys[: len(dialect.names)],
                ),
            )
            for block in blocks:
                frame = _frame(block, dialect, options.no_number, fast=fast)
                frame, places = _without_empty(frame, skipped.take(len(frame)))
                skipped.last_row = int(places[-1]) if len(places) else skipped.last_row
                yield _Part(frame, places + dialect.first_row - 1, share=os.lseek(file.fileno(), 0, os.SEEK_CUR) / size)
    except UnicodeDecodeError:
        raise BadFile(source, undecodable(path, dialect.encoding)) from None
    if remark := skipped.cut_line(dialect.first_row, source):
        yield _Part(frame.iloc[:0], np.array([], dtype=int), remark)


def _without_empty(frame: pd.DataFrame, places: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with anything in them, and their places: Arrow reads an empty line as a row without cells."""
    empty = np.ones(len(frame), bool)
    for name in frame.columns:
        cells = frame[name]
        empty &= (cells.isna() | (cells == "")).to_numpy(dtype=bool)
        if not empty.any():
            return frame, places
    return frame[~empty].reset_index(drop=True), places[~empty]


def _arrow_reason(error: pa.ArrowInvalid, dialect: Dialect) -> str:
    text = str(error).splitlines()[0].removeprefix("CSV parse error: ")
    return f"from line {dialect.first_row} on: {text}"


def _frame(block: pa.RecordBatch, dialect: Dialect, no_number: Sequence[str], *, fast: bool) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for name, column, numeric in zip(dialect.names, block.columns, dialect.numeric, strict=False):
        if fast and numeric:
            columns[name] = column.to_numpy(zero_copy_only=False)
            continue
        values, is_text = to_numbers(column, dialect.decimal, dialect.thousands, no_number)
        if is_text.any():
            cells = column.to_numpy(zero_copy_only=False)
            # A wrong cell in a column of numbers leaves the others numbers.
            values = np.where(is_text, cells, values.astype(object)) if is_text.mean() < WRONG_SHARE else cells
        columns[name] = values
    return pd.DataFrame(columns, copy=False)
