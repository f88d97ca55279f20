"""Constants of a case: from a table of cases, and from files that hold them; they become columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.common.tables import without_mark
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.column_kinds import is_text
from surrogate_modeling.importing.import_plan import columns_of
from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.sniffing import split_line
from surrogate_modeling.importing.text_file import dialect_of, read

CASE = "case"


@dataclass(frozen=True)
class Parameters:
    """Constants of the cases.

    Attributes:
        units: name -> unit of each.
        table: by case or file name, from the key ``parameters``.
        place: where that table is, for messages.
        from_files: names of those that the files hold.
    """

    units: dict[str, str] = field(default_factory=dict)
    table: dict[str, dict[str, float]] = field(default_factory=dict)
    place: str = ""
    from_files: tuple[str, ...] = ()

    def of(self, names: Sequence[str], table: RawTable) -> dict[str, float]:
        """The constants of one case.

        Args:
            names: under which the table of cases may hold it: case, part, file.
            table: as read, with the constants that the file knows.

        Raises:
            BadFile: a constant is not known.
        """
        found: dict[str, float] = {}
        if self.table:
            known = next((self.table[name] for name in names if name in self.table), None)
            if known is None:
                raise BadFile(table.source, f"parameters={self.place}: no line for the case '{names[0]}'")
            found |= known
        for name in self.from_files:
            if name not in table.parameters:
                raise BadFile(table.source, f"the parameter {name!r} of other files is missing; 'file_parameters=none'")
            found[name] = self._converted(name, table)
        return {name: found[name] for name in self.units}

    def _converted(self, name: str, table: RawTable) -> float:
        value, unit = table.parameters[name], table.parameter_units.get(name, "")
        if unit == self.units[name]:
            return value
        try:
            factor, offset = conversion(unit, self.units[name])
        except UnitError as error:
            raise BadFile(table.source, f"parameter {name!r}: {error}") from None
        return value * factor + offset


def read_parameters(
    path: str, names: Collection[str] | None = None
) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """Read a CSV with the columns case and one per parameter, units in brackets or in a second line.

    Args:
        path: of the CSV.
        names: of the parameters; other columns are passed over. None: every column of numbers is one.

    Returns:
        Unit of each parameter, and the values of each case.

    Raises:
        UserError: it cannot be read, or a cell is no number.
    """
    place = expanded(path, "parameters")
    name = f"parameters={path}"
    options = ReadOptions(name=name)
    if not place.is_file():
        raise UserError(f"{name}: no such file")
    try:
        (table,) = read(place, options)
    except BadFile as error:
        # The keys that reasons name are those of the files to import.
        reason = error.reason.split(";")[0]
        raise UserError(
            f"{name}: names, 'case' first, and under them a line for each case with a number for each parameter are "
            f"expected ({reason})"
        ) from None
    columns = columns_of(table, {})
    if not columns or columns[0].name.strip().lower() not in (CASE, "name", "file"):
        raise UserError(f"{name}: the first column must be 'case', it is {columns[0].name!r}")
    cases = _names(place, table, options)
    if doubled := [case for case in cases if cases.count(case) > 1]:
        raise UserError(f"{name}: two lines for the case '{doubled[0]}'")
    # Columns of text, such as a remark or a group, are no parameters.
    kept = [column for column in columns[1:] if not is_text(table.frame[column.key])]
    kept = [column for column in kept if names is None or column.name in names]
    if not kept:
        wanted = "" if names is None else f" named {' or '.join(map(repr, names))}"
        raise UserError(f"{name}: no column of numbers{wanted} behind 'case'")
    for column in kept:
        missing = ~np.isfinite(table.frame[column.key].to_numpy(dtype=float))
        if missing.any():
            raise UserError(f"{name}: no number for {column.name!r} of the case '{cases[int(missing.argmax())]}'")
    values = {
        case: {column.name: float(table.frame[column.key].iloc[row]) for column in kept}
        for row, case in enumerate(cases)
    }
    return {column.name: column.unit or "" for column in kept}, values


def _names(path: Path, table: RawTable, options: ReadOptions) -> list[str]:
    """The first cell of each row as text: of the number 001 and of 20240501 another name would be made."""
    dialect = dialect_of(path, options)
    lines = path.read_text(encoding=dialect.encoding).split("\n")
    assert table.line_numbers is not None
    return [without_mark(split_line(lines[number - 1], dialect.separator)[0]) for number in table.line_numbers]


def chosen(key: str | Sequence[str], found: Sequence[Mapping[str, float]]) -> list[str]:
    """Names of the files' constants that become columns.

    Args:
        key: ``varying`` (those that differ between files), ``all``, ``none``, or names.
        found: constants of each table.

    Raises:
        UserError: a name is not among them.
    """
    names = list(dict.fromkeys(name for table in found for name in table))
    if key == "none" or not names:
        return []
    if key == "all":
        return names
    if key == "varying":
        return [name for name in names if len({table.get(name) for table in found}) > 1]
    if unknown := [name for name in key if name not in names]:
        raise UserError(f"file_parameters: {unknown[0]!r} is in no file; there are {names_and_rest(names, 10)}")
    return [str(name) for name in key]
