"""What an import guessed and made, as tables for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from surrogate_modeling.cases.companions import CASES_FILE
from surrogate_modeling.cases.groups import is_grouping
from surrogate_modeling.common.tables import aligned
from surrogate_modeling.common.wording import counted, lines_and_rest
from surrogate_modeling.config.import_keys import CaseFormat, ImportConfig
from surrogate_modeling.config.quoting import listed, pasted, train_command
from surrogate_modeling.importing.import_plan import ImportPlan, columns_of, find_column
from surrogate_modeling.importing.raw_table import RawTable
from surrogate_modeling.importing.records import FileRecord

MOST_CASES = 12
MOST_COLUMNS = 100
FIRST_ROWS = 3
MOST_REMARKS = 20


@dataclass(frozen=True)
class NextCommands:
    """What comes after an import: a look at the cases, and a training."""

    look: str
    train: str


def plan_report(plan: ImportPlan, table: RawTable, config: ImportConfig) -> str:
    """The table of guesses, from the first file: columns, units, roles, first rows."""
    columns = columns_of(table, config.units)
    head = ["column", "unit", "role", "becomes", *(f"row {i + 1}" for i in range(min(FIRST_ROWS, len(table.frame))))]
    rows = [head]
    for name in plan.time:
        column = find_column(columns, name)
        assert column is not None
        cells = table.frame[column.key]
        unit = plan.time_unit if cells.dtype.kind in "iuf" else "date"
        rows.append([name, unit, "time", "seconds" if unit != "s" else "", *_first(cells)])
    for planned in plan.columns[:MOST_COLUMNS]:
        column = find_column(columns, planned.name)
        assert column is not None
        given = column.unit if column.unit is not None else "-" if planned.text else "?"
        becomes = planned.unit if planned.unit is not None and planned.unit != column.unit else ""
        if planned.text is not None:
            codes = ", ".join(f"{text}={code:g}" for text, code in planned.text.codes.items())
            becomes = codes or ", ".join(planned.text.names)
        cells = table.frame[column.key]
        rows.append([planned.name, given, planned.role or "?", becomes or "", *_first(cells)])
    if len(plan.columns) > MOST_COLUMNS:
        rows.append([f"and {len(plan.columns) - MOST_COLUMNS} more", *([""] * (len(head) - 1))])
    blank = [""] * (len(head) - 4)
    rows += [[name, unit or "?", "parameter", "constant", *blank] for name, unit in plan.parameters.items()]
    rows += [[name, "", "left out", "", *blank] for name in plan.ignored]
    if plan.cut_by:
        rows.append([plan.cut_by, "", "cuts cases", "", *blank])
    lines = [f"guessed from {table.source}:", aligned(rows), *_hints(plan, rows)]
    return "\n".join(lines)


def _first(cells: pd.Series) -> list[str]:
    return [f"{cell:.6g}" if isinstance(cell, float) else str(cell)[:24] for cell in cells.iloc[:FIRST_ROWS]]


def _hints(plan: ImportPlan, rows: Sequence[Sequence[str]]) -> list[str]:
    hints = [*plan.remarks]
    if any(row[1] == "?" for row in rows):
        hints.append("a unit of ? is not in the file; 'units={<column>: <unit>}' gives it")
    if any(row[2] == "?" for row in rows):
        hints.append("a role of ? is open; 'controls=[<column>,...]' puts the columns that drive the plant first")
    return [f"- {hint}" for hint in hints]


def result_report(
    records: Sequence[FileRecord],
    problems: Sequence[str],
    config: ImportConfig,
    *,
    rows: int = 0,
    then: NextCommands | None = None,
) -> str:
    """The table of the cases, what was done to the files, the files that failed, and the commands that come next.

    Args:
        records: of the imported files.
        problems: lines about the others.
        config: keys.
        rows: of each file that a dry run looked at; 0: all were read.
        then: commands on the cases, of a whole import.
    """
    cases = [(case, record) for record in records for case in record.cases]
    head = ["case", "rows", "step [s]", "start", "one time", "filled", "dropped", "source"]
    table = [head]
    for case, record in cases[:MOST_CASES]:
        counts = [str(count or "") for count in (case.duplicates, case.filled, case.dropped)]
        table.append([case.case, str(case.rows), f"{case.step:.6g}", case.start, *counts, record.source])
    lines = [aligned(table)] if cases else []
    if len(cases) > MOST_CASES:
        lines.append(f"and {counted(len(cases) - MOST_CASES, 'more case')}")
    lines += [f"- {remark}" for remark in _remarks(records)]
    if problems:
        lines += [f"{'would be refused' if rows else 'left out'}:", *problems]
    total = sum(case.rows for case, _ in cases)
    mended = sum(case.duplicates for case, _ in cases)
    what = f"{counted(len(cases), 'case')} of {total:,} rows from {counted(len(records), 'file')}" + (
        f", {mended} rows of one time" * bool(mended)
    )
    if then is None:
        lines.append(f"dry run: {what}, from the first {rows} rows of each file; nothing is written")
    else:
        lines += [f"{what}: {config.output}", f"look at them: {then.look}", f"train on them: {then.train}"]
    return "\n".join(lines)


def _remarks(records: Sequence[FileRecord]) -> list[str]:
    """What was done to the files; what is said of several is said once."""
    found: dict[str, list[str]] = {}
    for record in records:
        for remark in record.remarks:
            found.setdefault(remark, []).append(record.source)
    lines = [
        f"{sources[0]}: {remark}" if len(sources) == 1 else f"{len(sources)} files ({sources[0]} ...): {remark}"
        for remark, sources in found.items()
    ]
    return lines_and_rest(lines, MOST_REMARKS, "more remarks, in import.yaml")


def next_commands(config: ImportConfig, plan: ImportPlan, folder: Path, records: Sequence[FileRecord]) -> NextCommands:
    """The commands that look at the cases and train on them, with the step of their rows."""
    words = [f"dataset.path={folder}"]
    if config.format is CaseFormat.parquet:
        words.append("dataset.pattern=*.parquet")
    controls = [name for column in plan.columns if column.role == "control" for name in column.names]
    roles = [f"dataset.controls={listed([*controls, *plan.parameters])}"]
    if not any(column.role for column in plan.columns):
        roles = []
    elif config.targets:
        roles.append(f"dataset.targets={listed(config.targets)}")
    look = pasted("look", [*words, *roles])
    words += roles or ["dataset.controls=<columns>"]
    if plan.parameters:
        words.append(f"dataset.parameters={listed([*plan.parameters])}")
    if is_grouping(record.group for record in records):
        words.append(f"dataset.groups={folder / CASES_FILE}")
    step = statistics.median(case.step for record in records for case in record.cases)
    return NextCommands(look, train_command(words, step))
