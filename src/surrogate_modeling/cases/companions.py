"""Tables that lie beside case files and are no cases: those of an import and of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

IMPORT_FILE, CASES_FILE = "import.yaml", "cases.csv"
PLAN_FILE, FAMILIES_FILE, PARAMETERS_FILE, FAILED_FILE = "plan.json", "families.csv", "parameters.csv", "failed.csv"
# By the file that tells who wrote them.
TABLES = {IMPORT_FILE: (CASES_FILE,), PLAN_FILE: (FAMILIES_FILE, PARAMETERS_FILE, FAILED_FILE)}


def without_tables(folder: Path, files: Sequence[Path]) -> list[Path]:
    """The files of a folder without such tables; a file of that name alone, without its writer's, is a case.

    Args:
        folder: that holds the files.
        files: of it.
    """
    tables = {name for writer, names in TABLES.items() if (folder / writer).exists() for name in names}
    return [path for path in files if path.name not in tables]
