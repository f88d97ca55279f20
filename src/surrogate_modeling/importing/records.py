"""What an import made: one record per file and per case, as kept in ``cases.csv`` and ``import.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from surrogate_modeling.cases.companions import CASES_FILE, IMPORT_FILE
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.tables import csv_text

FORMAT = "import-2"
HEAD = """# Made by `pdm run import`. `pdm run import repeat=<this file>` imports what has changed since; with
# source=<files> output=<folder> it imports other files in the same way.
"""


@dataclass(frozen=True)
class CaseRecord:
    """One case: rows, usual step [s], start (a date, or seconds after the file's first row), and what was mended."""

    case: str
    rows: int
    step: float
    start: str = ""
    duplicates: int = 0
    filled: int = 0
    dropped: int = 0
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRecord:
    """One file.

    Attributes:
        source: where it is.
        name: of its case.
        digest: of its content.
        cases: that were made of it.
        group: of these.
        remarks: for the user.
        texts: column -> its texts, of the columns that were looked at before the plan was made.
        constants: of each table in it; None: it was not looked at.
    """

    source: str
    name: str
    digest: str
    cases: tuple[CaseRecord, ...]
    group: str = ""
    remarks: tuple[str, ...] = ()
    texts: dict[str, list[str]] = field(default_factory=dict)
    constants: list[dict[str, float]] | None = None


@dataclass(frozen=True)
class Record:
    """A whole import.

    Attributes:
        keys: of the configuration, guesses filled in.
        digest: of what decides what a file becomes; files are imported again where it differs.
        reading: digest of what decides what is read of a file; files are looked at again where it differs.
        columns: name -> unit and role of the cases' columns.
        text: column -> numbers of its texts, or the texts that have a column each.
        files: in the order of the import.
        train: the command that trains on the cases.
    """

    keys: dict[str, Any]
    digest: str
    reading: str
    columns: dict[str, dict[str, str]]
    text: dict[str, Any]
    files: tuple[FileRecord, ...]
    train: str

    def write(self, folder: Path) -> None:
        """Write ``import.yaml`` and ``cases.csv`` into a folder."""
        content = {"format": FORMAT, **asdict(self)}
        # Thousands of constants of a model may be the same in all files.
        shared = content["constants"] = _shared([table for file in self.files for table in file.constants or ()])
        content["files"] = [
            {**entry, "cases": list(entry["cases"]), "remarks": list(entry["remarks"]),
             "constants": _without(entry["constants"], shared)}
            for entry in content["files"]
        ]  # fmt: skip
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        write_atomic(folder / IMPORT_FILE, (HEAD + text).encode())
        write_atomic(folder / CASES_FILE, csv_text(self.rows()).encode())

    def rows(self) -> list[list[object]]:
        """Rows of ``cases.csv``, the head first; case and group come first, as ``dataset.groups`` reads them."""
        names = list(dict.fromkeys(name for file in self.files for case in file.cases for name in case.parameters))
        head: list[object] = [
            "case",
            "group",
            "source",
            "rows",
            "step",
            "start",
            "duplicates",
            "filled",
            "dropped",
            *names,
        ]
        return [head, *([*row] for file in self.files for row in _case_rows(file, names))]


def _shared(tables: Sequence[dict[str, float]]) -> dict[str, float]:
    """Constants that all tables have, with one value."""
    first, *others = tables or [{}]
    return {name: value for name, value in first.items() if all(table.get(name) == value for table in others)}


def _without(tables: Sequence[dict[str, float]] | None, shared: dict[str, float]) -> list[dict[str, float]] | None:
    if tables is None:
        return None
    return [{name: value for name, value in table.items() if name not in shared} for table in tables]


def _case_rows(file: FileRecord, names: Sequence[str]) -> list[list[object]]:
    return [
        [
            case.case, file.group, file.source, case.rows, f"{case.step:.6g}", case.start,
            case.duplicates, case.filled, case.dropped, *(case.parameters.get(name, "") for name in names),
        ]
        for case in file.cases
    ]  # fmt: skip


def read_record(path: Path) -> Record:
    """Read an ``import.yaml``.

    Raises:
        UserError: it cannot be read, or is none.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        shared = content.pop("constants")
        files = tuple(
            FileRecord(
                **{**entry, "cases": tuple(CaseRecord(**case) for case in entry["cases"]),
                   "remarks": tuple(entry["remarks"]),
                   "constants": entry["constants"] and [shared | table for table in entry["constants"]]}
            )
            for entry in content["files"]
        )  # fmt: skip
        return Record(**{**content, "files": files})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not the import.yaml of an import ({reason})") from None
