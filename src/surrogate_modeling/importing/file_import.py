"""Import one file: read it block by block, bring it to the plan, cut it into cases, clean and write these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.parquet_file import write_parquet
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.file_names import file_names
from surrogate_modeling.common.progress import track_share
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.config.import_keys import CaseFormat, ImportConfig
from surrogate_modeling.importing import text_file
from surrogate_modeling.importing.conform import Conformer
from surrogate_modeling.importing.formats import read_tables, read_text, reader_of
from surrogate_modeling.importing.header import one_line
from surrogate_modeling.importing.import_plan import ImportPlan
from surrogate_modeling.importing.parameters import Parameters
from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import refuse_duplicates
from surrogate_modeling.importing.records import CaseRecord
from surrogate_modeling.importing.rows import (
    fill_missing,
    one_row_per_time,
    require_increasing,
    without_missing_time,
)
from surrogate_modeling.importing.segmentation import Cutter, Cutting, Segment
from surrogate_modeling.importing.sources import SourceFile, unpacked

# Rows of a file that the guesses are made from.
SAMPLE_ROWS = 2000
# Names that a remark lists.
MOST_LISTED = 6
WRITERS = {CaseFormat.csv: write_case, CaseFormat.parquet: write_parquet}
# Called with name, time (T,) and values (T, F) of each case.
Sink = Callable[[str, np.ndarray, np.ndarray], None]


def read_options(config: ImportConfig, file: SourceFile, rows: int | None = None) -> ReadOptions:
    """Options of the readers from the keys."""
    return ReadOptions(
        separator=config.separator,
        decimal=config.decimal,
        encoding=config.encoding,
        header_row=config.header_row,
        unit_row=config.unit_row,
        parts=tuple(config.parts),
        time=config.time if isinstance(config.time, str) else None,
        step=config.step,
        name=str(file),
        rows=rows,
        no_number=tuple(config.no_number),
    )


def blocks(path: Path, file: SourceFile, options: ReadOptions) -> Iterator[list[RawTable]]:
    """The tables of an unpacked file, as lists of one block per table: text comes in many lists, all else in one.

    Raises:
        BadFile: it cannot be read.
    """
    if reader_of(path, file.inner) is read_text:
        for block in track_share(text_file.read_blocks(path, options), lambda table: table.share, str(file)):
            yield [_blanked(_in_one_line(block), options.no_number)]
    else:
        yield [_blanked(_in_one_line(table), options.no_number) for table in read_tables(path, file.inner, options)]


def _in_one_line(table: RawTable) -> RawTable:
    """A table without line breaks in names and units.

    Raises:
        BadFile: two columns have one name then.
    """
    names = [str(name) for name in table.frame.columns]
    broken = [name for name in names if one_line(name) != name]
    units = {one_line(name): one_line(unit) for name, unit in table.units.items()}
    if not broken and units == table.units:
        return table
    frame = table.frame.set_axis([one_line(name) for name in names], axis="columns")
    refuse_duplicates(list(frame.columns), table.source)
    time = table.time if table.time is None else one_line(table.time)
    listed = names_and_rest([repr(one_line(name)) for name in broken], MOST_LISTED)
    said = [f"line breaks in the names {listed} are taken as blanks"] if broken else []
    return replace(table, frame=frame, units=units, time=time, remarks=(*table.remarks, *said))


def _blanked(table: RawTable, words: Sequence[str]) -> RawTable:
    """A table with missing cells for the texts of the key ``no_number``."""
    texts = [name for name in table.frame.columns if table.frame[name].dtype.kind not in "iufbM"]
    if not words or not texts:
        return table
    known = {word.lower() for word in words}
    frame = table.frame.copy()
    for name in texts:
        cells = frame[name].tolist()
        frame[name] = np.array([None if str(cell).strip().lower() in known else cell for cell in cells], dtype=object)
    return replace(table, frame=frame)


def sample(file: SourceFile, config: ImportConfig) -> list[RawTable]:
    """The first rows of each table of a file (all where its format is read whole).

    Raises:
        BadFile: it cannot be read.
    """
    with unpacked(file) as path:
        return next(blocks(path, file, read_options(config, file, SAMPLE_ROWS)))


@dataclass
class FileImport:
    """Imports files to one plan.

    Attributes:
        config: keys.
        plan: columns, units, roles and maps of text.
        cutting: how files are cut into cases.
        parameters: constants that become columns.
        sink: takes each case.
    """

    config: ImportConfig
    plan: ImportPlan
    cutting: Cutting
    parameters: Parameters
    sink: Sink

    def run(self, file: SourceFile, name: str, rows: int | None = None) -> tuple[list[CaseRecord], list[str]]:
        """Import one file.

        Args:
            file: to import.
            name: of its case.
            rows: first rows to read only; None: all.

        Returns:
            Its cases, and what the user should know.

        Raises:
            BadFile: anything wrong in it.
        """
        parts: dict[int, _Part] = {}
        records: list[CaseRecord] = []
        with unpacked(file) as path:
            for tables in blocks(path, file, read_options(self.config, file, rows)):
                for number, table in enumerate(tables):
                    if number not in parts:
                        part_name = f"{name}_{table.part}" if len(tables) > 1 else name
                        parts[number] = _Part(self, part_name, file.stem, table)
                    records += parts[number].feed(table)
        for part in parts.values():
            records += part.finish()
        remarks = dict.fromkeys(remark for part in parts.values() for remark in part.conformer.remarks)
        return records, [*remarks]


@dataclass
class _Part:
    """One table of a file on its way to cases."""

    importer: FileImport
    name: str
    stem: str
    first: RawTable
    taken: int = 0
    dropped: int = 0
    count: int = 0
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        config, plan = self.importer.config, self.importer.plan
        self.conformer = Conformer(plan, config.units, config.date_format, config.time_unit)
        self.cutter = Cutter(self.importer.cutting)
        self.columns = [name for column in plan.columns for name in column.names]
        self.order = [self.columns.index(name) for name in plan.written if name in self.columns]

    def feed(self, table: RawTable) -> list[CaseRecord]:
        """Take the next block of the table, and write the cases that end within it."""
        rows, cells = self.conformer.rows(table, self.taken)
        self.taken += len(table.frame)
        timed = np.isfinite(rows.time)
        how = self.importer.config.missing.value
        rows, dropped = without_missing_time(rows, how, self.importer.plan.time[0], table.source)
        self.dropped += dropped
        kept = cells[timed] if cells is not None and dropped else cells
        return [record for segment in self.cutter.feed(rows, kept) for record in self._case(segment)]

    def finish(self) -> list[CaseRecord]:
        """Write the case that the table ends with.

        Raises:
            BadFile: the table held no rows.
        """
        records = [record for segment in self.cutter.finish() for record in self._case(segment)]
        if not records and not self.count:
            raise BadFile(self.first.source, "no rows")
        return records

    def _case(self, segment: Segment) -> list[CaseRecord]:
        """Clean and write one case; a piece of a cut file that is too short for a case is left out with a remark."""
        config, source = self.importer.config, self.first.source
        rows, duplicates = one_row_per_time(segment.rows, config.duplicates.value, source)
        require_increasing(rows, self.importer.plan.time[0], source, dated="-" in self.conformer.start)
        if len(rows.time) >= 2:
            rows, filled, dropped = fill_missing(rows, self.columns, config.missing.value, config.max_missing, source)
        self.count += 1
        if len(rows.time) < 2:
            if not self.importer.cutting.active:
                raise BadFile(source, "one row of numbers only; a case needs at least two")
            self.conformer.remarks[f"{segment.rows.place(np.arange(1))}: a case of one row is left out"] = None
            return []
        name = self._named(segment.label)
        constants = self.importer.parameters.of((name, self.name, self.stem), self.first)
        self.importer.sink(name, rows.time, self._values(rows.values, constants))
        step = float(f"{np.median(np.diff(rows.time)):.9g}")
        dropped, self.dropped = dropped + self.dropped, 0
        start = self._start(segment)
        return [CaseRecord(name, len(rows.time), step, start, duplicates, filled, dropped, constants)]

    def _named(self, label: str) -> str:
        name = self.name
        if self.importer.cutting.active:
            name = f"{self.name}_{label}" if label else f"{self.name}_{self.count:03d}"
            if name in self.names:
                name = f"{name}_{self.count:03d}"
        self.names.add(name)
        return file_names([name])[name]

    def _start(self, segment: Segment) -> str:
        """Date of the case's first row, or the seconds that a cut file had run."""
        start = self.conformer.start
        if not segment.start:
            return start
        if "-" not in start:
            return f"{segment.start:.12g}"
        moved = np.datetime64(start, "ns") + np.timedelta64(round(segment.start * 1e9), "ns")
        return str(moved).rstrip("0").rstrip(".")

    def _values(self, values: np.ndarray, constants: dict[str, float]) -> np.ndarray:
        """Columns in the order that is written: controls, parameters, the others."""
        ordered = values[:, self.order]
        if not constants:
            return ordered
        controls = sum(len(column.names) for column in self.importer.plan.columns if column.role == "control")
        repeated = np.tile([*constants.values()], (len(values), 1))
        return np.concatenate([ordered[:, :controls], repeated, ordered[:, controls:]], axis=1)


def folder_sink(folder: Path, plan: ImportPlan, config: ImportConfig) -> Sink:
    """A sink that writes each case into a folder.

    Args:
        folder: that exists.
        plan: names and units of the columns.
        config: the format.
    """
    names = set[str]()
    write, units = WRITERS[config.format], plan.written
    # The time column keeps its name, unless another column has the same one.
    time_name = plan.time[0] if plan.time[0] not in units else "time"

    def sink(name: str, time: np.ndarray, values: np.ndarray) -> None:
        """Write one case, unless another has its name."""
        if name.casefold() in names:
            raise BadFile(name, "two cases have this name; rename a file or a sheet")
        names.add(name.casefold())
        write(folder / f"{name}.{config.format}", units, time, values, time_name)

    return sink
