"""A table as read from a file of any format, and the options that every reader is given.

A reader is a function ``read(path, options) -> list[RawTable]`` in ``READERS`` of
:mod:`surrogate_modeling.importing.formats`: one table for each sheet, group or record of the file. It changes no value:
units, text and time are dealt with later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_modeling.common.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class BadFile(UserError):
    """A file, or a part of it, cannot be read as a table.

    Args:
        source: file, and sheet, dataset or variable: :meth:`ReadOptions.source`.
        reason: place in it, what is wrong and what to do.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source, self.reason = source, reason


@dataclass(frozen=True)
class RawTable:
    """One table of a file, as it stands there.

    Attributes:
        source: file, and sheet, dataset or variable, for messages.
        frame: columns named as in the file, the time column among them; float64, or object where cells hold text.
        units: of the columns whose unit the file says; the time column's among them.
        parameters: constants of the case that the file knows.
        parameter_units: of those whose unit the file says.
        time: name of the time column where the format says which it is.
        lines: place of the first row of :attr:`frame`, for messages such as "line 7"; 0 where rows have no line.
        line_numbers: place of each row (T,) where lines between them were passed over; None: one follows the other.
        part: name of the sheet, group or record; the case's name is made of it where a file holds several.
        remarks: what was done while reading that the user should know, one sentence each.
        typed: whether each cell that is a number has been read as one, so that text among numbers is none.
        share: of the file that has been read with it.
    """

    source: str
    frame: pd.DataFrame
    units: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    parameter_units: dict[str, str] = field(default_factory=dict)
    time: str | None = None
    lines: int = 0
    line_numbers: np.ndarray | None = None
    part: str = ""
    remarks: tuple[str, ...] = ()
    typed: bool = False
    share: float = 1.0


@dataclass(frozen=True)
class ReadOptions:
    """Keys of ``import`` that readers need; None: guessed from the file.

    Attributes:
        separator: between the cells of a text file.
        decimal: mark of decimals in a text file, ``.`` or ``,``.
        encoding: of a text file.
        header_row: line of the names in a text file or a sheet, from 1; 0: there is none.
        unit_row: line of the units, from 1; 0: there is none.
        parts: sheets, groups, datasets or variables to read; all where there is none.
        time: name of the time column.
        step: common time step of channels that are sampled at several rates [s].
        name: of the file for messages, where ``path`` is a temporary file (unpacked from an archive).
        rows: first rows to read only; None for all. A reader may read more.
        no_number: texts that say that there is no number, beside the usual ones.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header_row: int | None = None
    unit_row: int | None = None
    parts: tuple[str, ...] = ()
    time: str | None = None
    step: float | None = None
    name: str = ""
    rows: int | None = None
    no_number: tuple[str, ...] = ()

    def source(self, path: Path, part: str = "") -> str:
        """The name of a file, and of a part of it, for messages."""
        name = self.name or str(path)
        return f"{name} [{part}]" if part else name
