"""Read the group of each case: the unit it was measured on, or another kind of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.companions import CASES_FILE, IMPORT_FILE
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.tables import without_mark


def unit_names(cases: Sequence[Case]) -> list[str]:
    """Names of the units of cases, each once, in the order of the cases."""
    return list(dict.fromkeys(case.unit for case in cases if case.unit is not None))


def read_groups(file: str, cases: Sequence[str], key: str) -> dict[str, str]:
    """Read the group of each case from a CSV with the columns case and group, or of a CSV whose first two are these.

    Args:
        file: path of the CSV.
        cases: names of the cases, which must all be in it.
        key: of the configuration that gave the file, for the messages.

    Raises:
        UserError: the file cannot be read, or a case is not in it.
    """
    path = Path(file)
    try:
        with path.expanduser().open(newline="", encoding="utf-8-sig") as opened:
            head, *rows = csv.reader(opened)
        at = [head.index(name) if {"case", "group"} <= set(head) else i for i, name in enumerate(("case", "group"))]
        groups = {without_mark(row[at[0]]): without_mark(row[at[1]]) for row in rows if row}
    except (OSError, RuntimeError, ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{key}={path}: {error}; a CSV with the columns case and group is expected") from None
    missing = [case for case in cases if case not in groups]
    if missing:
        raise UserError(f"{key}={path}: no line for {', '.join(missing)}")
    return {case: groups[case] for case in cases}


def imported_groups(folder: Path, cases: Sequence[str]) -> Path | None:
    """The table that an import has left beside cases, if it puts them into groups; None otherwise.

    Args:
        folder: of the cases.
        cases: their names.
    """
    table = folder / CASES_FILE
    if not (folder.expanduser() / IMPORT_FILE).exists():
        return None
    try:
        return table if is_grouping(read_groups(str(table), cases, "dataset.groups").values()) else None
    except UserError:
        return None


def is_grouping(groups: Iterable[str]) -> bool:
    """Whether every case has a group, and not all the same."""
    found = set(groups)
    return len(found) > 1 and "" not in found
