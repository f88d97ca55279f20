"""Text tables: aligned columns for a terminal, and CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

# First characters of what a spreadsheet reads as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def aligned(rows: Iterable[Sequence[str]], left: int | None = None) -> str:
    """Format rows of cells as aligned lines of text, columns two spaces apart.

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
    """Escape line ends, terminal escapes and marks of writing direction in a text, as in ``\\x1b``."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)


def printable_lines(text: str) -> str:
    """Escape a text of several lines as :func:`printable` does, but keep its line ends."""
    return "\n".join(line if line.isprintable() else printable(line) for line in text.split("\n"))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Format rows as CSV with line feeds; texts that a spreadsheet would read as a formula are prefixed with ``'``."""
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


def without_mark(cell: str) -> str:
    """A cell as it was before :func:`csv_text` kept a spreadsheet from reading it as a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
