"""Reads Parquet and Feather files, with units from the metadata of the file.

A unit stands in the metadata of its column (``unit`` or ``units``), or of the file: ``units``, a JSON object of column
-> unit, alone or among the attributes that pandas keeps (``DataFrame.attrs``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import as_columns, refuse_duplicates, time_in

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Name of a column that pandas makes of an index without a name.
NAMELESS_INDEX = "index"


def read_parquet(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read a Parquet file.

    Raises:
        BadFile: it cannot be read, or a column holds no numbers or text.
    """
    import pyarrow.parquet as pq

    return [_table(path, options, lambda: pq.ParquetFile(path).read(), "Parquet")]


def read_feather(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read a Feather file (Arrow IPC).

    Raises:
        BadFile: as :func:`read_parquet`.
    """
    import pyarrow.feather as feather

    return [_table(path, options, lambda: feather.read_table(path), "Feather")]


def _table(path: Path, options: ReadOptions, read: Callable[[], pa.Table], kind: str) -> RawTable:
    import pyarrow as pa

    source = options.source(path)
    try:
        table = read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadFile(source, f"no {kind} file that can be read ({reason}); write it again") from None
    refuse_duplicates(table.column_names, source)
    frame = table.to_pandas()
    frame, index = _without_index(frame)
    columns, units = as_columns(frame, source)
    units |= _units(table.schema)
    time = index or time_in(columns)
    return RawTable(source, columns, {name: unit for name, unit in units.items() if name in columns}, time=time)


def _without_index(frame: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The table with its index as a first column, and that column's name where it is time."""
    import pandas as pd

    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return frame, None
    names = [str(name) if name is not None else NAMELESS_INDEX for name in index.names]
    is_time = isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)
    return frame.reset_index(names=names), names[0] if is_time else None


def _units(schema: pa.Schema) -> dict[str, str]:
    metadata = schema.metadata or {}
    units: dict[str, str] = {}
    for key in (b"PANDAS_ATTRS", b"units"):
        try:
            content = json.loads(metadata.get(key, b"{}"))
        except ValueError:
            continue
        found = content.get("units", {}) if key == b"PANDAS_ATTRS" and isinstance(content, dict) else content
        units |= {str(name): str(unit) for name, unit in found.items()} if isinstance(found, dict) else {}
    for field in schema:
        of_field = field.metadata or {}
        unit = of_field.get(b"unit", of_field.get(b"units"))
        if unit is not None:
            units[field.name] = unit.decode("utf-8", "replace")
    return units
