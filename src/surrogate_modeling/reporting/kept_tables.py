"""Read the tables that a run keeps as CSV files, and say what is wrong with a damaged one."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.tables import without_mark


@dataclass(frozen=True)
class Line:
    """A line of a table: the run's folder, the table's name in it, its number, and its cells."""

    folder: Path
    name: str
    number: int
    cells: list[str]

    def value(self, column: int) -> float:
        """Number in a column; NaN where the cell is empty.

        Raises:
            UserError: it is no number.
        """
        cell = self.cells[column]
        try:
            return float(cell) if cell else math.nan
        except ValueError:
            raise damaged(self.folder, f"{self.name}, line {self.number}", f"{cell[:40]!r} is no number") from None


def damaged(folder: Path, place: str, reason: str) -> UserError:
    """The refusal of a file of a run.

    Args:
        folder: of the run.
        place: of the file in it, and the line.
        reason: what is wrong.
    """
    return UserError(f"{folder}: {place}: {reason}; restore the file from a backup, or give another run")


def read_table(folder: Path, name: str) -> tuple[list[str], list[Line]]:
    """Head and lines of a table of a run.

    Raises:
        UserError: it cannot be read, is empty, or has a line with other cells than the head.
    """
    lines = list[Line]()
    try:
        reader = csv.reader(io.StringIO((folder / name).read_bytes().decode(), newline=""))
        lines += [Line(folder, name, reader.line_num, [without_mark(cell) for cell in row]) for row in reader]
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise damaged(folder, f"{name}, line {number}", "is not UTF-8") from None
    except (OSError, csv.Error) as error:
        raise damaged(folder, name, str(getattr(error, "strerror", None) or error)) from None
    if not lines:
        raise damaged(folder, name, "is empty")
    head, *rest = lines
    for line in rest:
        if len(line.cells) != len(head.cells):
            told = f"{len(line.cells)} cells, {len(head.cells)} are expected"
            raise damaged(folder, f"{name}, line {line.number}", told)
    return head.cells, rest
