"""Whether a column holds numbers or text, and which of its cells are wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surrogate_modeling.importing.cells import is_missing, is_number

# Share of numbers from which a column with some text is one of numbers with wrong cells.
NUMBER_SHARE = 0.5


def is_text(cells: pd.Series) -> bool:
    """Whether a column holds anything but numbers; true and false count as text."""
    return cells.dtype.kind not in "iuf"


def wrong_cells(cells: pd.Series, *, typed: bool = False) -> np.ndarray:
    """Cells (T,) of text in a column of which most are numbers; none in a column of text.

    Args:
        cells: of the column.
        typed: whether text is no number, however it is written.
    """
    if not is_text(cells) or cells.dtype.kind == "b":
        return np.zeros(len(cells), bool)
    unique = {cell: str(cell).strip() for cell in dict.fromkeys(cells.tolist()) if cell is not None and cell == cell}
    texts = {cell for cell in unique if typed and isinstance(cell, str)}
    kinds = {cell: is_missing(text) or (is_number(text) and cell not in texts) for cell, text in unique.items()}
    valued = [cell for cell in cells.tolist() if cell in unique and not is_missing(unique[cell])]
    numbers = sum(kinds[cell] for cell in valued)
    if numbers <= NUMBER_SHARE * len(valued) or numbers == len(valued):
        return np.zeros(len(cells), bool)
    return np.array([not kinds.get(cell, True) for cell in cells.tolist()])
