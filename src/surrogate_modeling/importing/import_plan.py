"""The plan of an import: columns, units, roles and maps of text that every file is brought to.

It is made from the first file, and from all files where their text or their parameters decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.importing.column_kinds import is_text, wrong_cells
from surrogate_modeling.importing.dates import reads
from surrogate_modeling.importing.head import INDEX
from surrogate_modeling.importing.header import split_name, split_names
from surrogate_modeling.importing.raw_table import BadFile, RawTable
from surrogate_modeling.importing.text_columns import TextMap, text_map, texts_of
from surrogate_modeling.importing.time_axis import find_time, time_unit_of

MOST_LISTED = 10


@dataclass(frozen=True)
class Column:
    """One column of a table: its name in the frame, its name without unit, and its unit; None where none is said."""

    key: str
    name: str
    unit: str | None


@dataclass(frozen=True)
class PlannedColumn:
    """One column of the cases.

    Attributes:
        name: of the column in the files, without its unit.
        unit: of the cases; None: not known.
        role: ``control``, ``parameter``, ``predicted``, or empty where the roles are not given.
        text: how its text becomes numbers; None for numbers.
    """

    name: str
    unit: str | None
    role: str = ""
    text: TextMap | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the cases that it becomes: several for modes."""
        return self.text.names if self.text else (self.name,)


@dataclass(frozen=True)
class ImportPlan:
    """What every file is brought to.

    Attributes:
        time: name of the time column, or of a date and a time of day.
        time_unit: of numbers.
        columns: of the cases after time, in their order; parameters are not among them.
        parameters: name -> unit of the constants that become columns.
        ignored: columns that are left out.
        cut_by: column whose changes begin a case; None where there is none.
        remarks: what the user should know about the guesses.
    """

    time: tuple[str, ...]
    time_unit: str
    columns: tuple[PlannedColumn, ...]
    parameters: dict[str, str]
    ignored: tuple[str, ...]
    cut_by: str | None
    remarks: tuple[str, ...] = ()

    @property
    def written(self) -> dict[str, str]:
        """Name -> unit of the columns of the cases after time: controls, parameters, then the others."""
        first = [column for column in self.columns if column.role == "control"]
        rest = [column for column in self.columns if column.role != "control"]
        units: dict[str, str] = {}
        units |= {name: column.unit or "" for column in first for name in column.names}
        units |= self.parameters
        return units | {name: column.unit or "" for column in rest for name in column.names}


def columns_of(table: RawTable, units: Mapping[str, str]) -> list[Column]:
    """Names and units of a table's columns.

    Args:
        table: as read.
        units: given by the key ``units``, by name with or without the unit in brackets.

    Raises:
        BadFile: two units of one column.
    """
    keys = [str(key) for key in table.frame.columns]
    split = split_names(keys) | {key: (key, narrow(unit)) for key in keys if (unit := table.units.get(key))}
    _require_one_unit({name: unit for name, unit in split.values() if name not in units}, table.source)
    names = [name for name, _ in split.values()]
    found = []
    for key in keys:
        name, unit = split[key]
        # Two columns that only their unit tells apart keep their whole names.
        name = key if names.count(name) > 1 else name
        given = units.get(name, units.get(key))
        found.append(Column(key, name, given if given is not None else unit))
    return found


def _require_one_unit(units: Mapping[str, str | None], source: str) -> None:
    """Refuse a column whose name says another unit of the same quantity than the line of units.

    Args:
        units: by name, as the file says.
        source: for the message.
    """
    for key, (_, named) in split_names(units).items():
        unit = units[key]
        if not (unit and named) or unit == named:
            continue
        try:
            same = conversion(named, unit) == (1.0, 0.0)
        except UnitError:
            # In T[in] the brackets hold no unit.
            continue
        if not same:
            raise BadFile(
                source,
                f"column {key!r}: two units, {named!r} in the name and {unit!r} beside it; "
                f"'units={{\"{key}\": {unit}}}' says which",
            )


def find_column(columns: Sequence[Column], name: str) -> Column | None:
    """The column of a name, with or without its unit."""
    return next((column for column in columns if name in (column.name, column.key)), None)


def make_import_plan(
    table: RawTable, config: ImportConfig, texts: Mapping[str, Sequence[str]] | None = None
) -> ImportPlan:
    """Make the plan from the first table.

    Args:
        table: of the first file.
        config: keys.
        texts: texts of columns over all files; None: those of the table.

    Raises:
        UserError: a key names no column, or no time is found.
    """
    columns = columns_of(table, config.units)
    _require_keys(columns, table, config)
    time = time_columns(columns, table, config)
    remarks = []
    cells = table.frame[_of(columns, time[0]).key]
    if config.date_format and config.time is None and cells.dtype.kind not in "iuf":
        remarks.append(f"time is {time[0]!r}, which date_format reads; time=... says otherwise")
    values = cells.to_numpy(dtype=float) if cells.dtype.kind in "iuf" else np.empty(0)
    unit, guessed = time_unit_of(time[0], config.time_unit or _of(columns, time[0]).unit, values)
    if guessed and cells.dtype.kind in "iuf":
        why = " (it looks like Excel's days)" if unit == "d" else ""
        remarks.append(f"time {time[0]!r} has no unit and is taken for {unit}{why}; time_unit=... says otherwise")
    remarks += _plain_units(columns, table, config.units)
    cut_by = config.cases_by if config.cases_by and find_column(columns, config.cases_by) else None
    index = _index_column(columns, table, time)
    ignored = [*(_of(columns, name).name for name in config.ignore), *index]
    remarks += [f"column {name!r} numbers the rows and is left out" for name in index]
    left_out = {*time, *ignored, *([cut_by] if cut_by else [])}
    kept = [column for column in columns if column.name not in left_out]
    if not kept:
        raise BadFile(table.source, "no column is left beside time")
    roles = _roles([column.name for column in kept], config)
    planned = []
    for column in kept:
        cells = table.frame[column.key]
        text = None
        if column.name in config.text or (is_text(cells) and not wrong_cells(cells, typed=table.typed).any()):
            found = (texts or {}).get(column.name) or texts_of(cells)
            text = text_map(column.name, found, config.text.get(column.name), table.source)
        unit_of = config.to_units.get(column.name, config.to_units.get(column.key, column.unit))
        planned.append(PlannedColumn(column.name, "-" if text and not unit_of else unit_of, roles[column.name], text))
    order = {"control": 0, "": 1, "predicted": 1}
    planned.sort(key=lambda column: order[column.role])
    return ImportPlan(time, unit, tuple(planned), {}, tuple(ignored), cut_by, tuple(remarks))


def _plain_units(columns: Sequence[Column], table: RawTable, given: Mapping[str, str]) -> list[str]:
    """What is said of units that the file writes in full width."""
    unlike = [
        repr(column.name)
        for column in columns
        if column.unit and column.name not in given and column.unit not in (table.units.get(column.key) or column.key)
    ]
    if not unlike:
        return []
    return [f"units in full width are read in plain letters: {names_and_rest(unlike, MOST_LISTED)}"]


def time_columns(columns: Sequence[Column], table: RawTable, config: ImportConfig) -> tuple[str, ...]:
    """Names of the time column, or of date and time of day: given by key, by the format, or found.

    Raises:
        UserError: the key names no column, or none looks like time.
    """
    if config.time is not None:
        given = [config.time] if isinstance(config.time, str) else [str(name) for name in config.time]
        found = [find_column(columns, name) for name in given]
        if lacking := [name for name, column in zip(given, found, strict=True) if column is None]:
            raise BadFile(table.source, f"time={lacking[0]}: no such column; there are {_listed(columns)}")
        return tuple(column.name for column in found if column)
    if table.time is not None:
        return (_of(columns, table.time).name,)
    times = find_time(table.frame, [column.name for column in columns])
    if config.date_format and (times is None or len(times) == 1):
        read = [c.name for c in columns if reads(table.frame[c.key], config.date_format, table.source)]
        if read and (times is None or times[0] not in read):
            times = (read[0],)
    if times is None:
        raise BadFile(table.source, f"no column looks like time; give time=<column> of {_listed(columns)}")
    return times


def _of(columns: Sequence[Column], name: str) -> Column:
    found = find_column(columns, name)
    assert found is not None
    return found


def _listed(columns: Sequence[Column]) -> str:
    return names_and_rest([repr(column.name) for column in columns], MOST_LISTED)


def _require_keys(columns: Sequence[Column], table: RawTable, config: ImportConfig) -> None:
    given = {
        "ignore": config.ignore,
        "units": [*config.units],
        "to_units": [*config.to_units],
        "text": [*config.text],
    }
    for key, names in given.items():
        if unknown := [name for name in names if find_column(columns, name) is None]:
            raise UserError(f"{key}: {unknown[0]!r} is no column of {table.source}; there are {_listed(columns)}")


def _index_column(columns: Sequence[Column], table: RawTable, time: Sequence[str]) -> list[str]:
    """The name of a first column that counts the rows, in a list; empty where there is none."""
    first = columns[0]
    nameless = first.name.strip().lower() in (INDEX, "unnamed: 0", "", "no", "no.", "nr", "#", "row", "番号", "idx")
    if not nameless or first.name in time:
        return []
    values = table.frame[first.key]
    if is_text(values) or len(values) < 2:
        return []
    return [first.name] if (np.diff(values.to_numpy(dtype=float)) == 1).all() else []


def _roles(names: Sequence[str], config: ImportConfig) -> dict[str, str]:
    controls = config.controls
    if controls is None:
        return dict.fromkeys(names, "")
    if isinstance(controls, int):
        if controls >= len(names):
            raise UserError(
                f"controls={controls}: there are {len(names)} columns; at least one must be left to predict"
            )
        controls = names[:controls]
    named = [split_name(str(name))[0] if name not in names else str(name) for name in controls]
    # A control may also be a parameter, which is no column of the file.
    unknown = [name for name in named if name not in names]
    if len(unknown) == len(named) or (unknown and config.parameters is None and config.file_parameters == "none"):
        raise UserError(
            f"controls: {unknown[0]!r} is no column; there are {names_and_rest(map(repr, names), MOST_LISTED)}"
        )
    roles = {name: "control" if name in named else "predicted" for name in names}
    if targets := [name for name in config.targets or [] if roles.get(name) != "predicted"]:
        raise UserError(f"targets: {targets[0]!r} is no predicted column")
    return roles
