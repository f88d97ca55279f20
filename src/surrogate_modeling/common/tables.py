"""Tables as text: columns aligned for a terminal, and CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

# What a spreadsheet takes for the start of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def aligned(rows: Iterable[Sequence[str]], left: int | None = None) -> str:
    """Rows of cells as lines of text, columns two spaces apart.

    Args:
        rows: the head first; all of one length.
        left: how many of the first columns are aligned to the left, the others to the right; None for all.
    """
    table = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]

    def padded(column: int, cell: str) -> str:
        space = " " * (widths[column] - cell_len(cell))
        return cell + space if left is None or column < left else space + cell

    return "\n".join("  ".join(padded(i, cell) for i, cell in enumerate(row)).rstrip() for row in table)


def printable(text: str) -> str:
    """A text with line ends, terminal escapes and marks of writing direction shown as ``\\x1b``, not obeyed."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, whose line ends stay."""
    return "\n".join(line if line.isprintable() else printable(line) for line in text.split("\n"))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV, lines ended by a line feed; texts that a spreadsheet would take for a formula begin with ``'``."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_no_formula, row) for row in rows)
    return text.getvalue()


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str) or len(cell) < 2 or not cell.startswith(FORMULA_STARTS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
