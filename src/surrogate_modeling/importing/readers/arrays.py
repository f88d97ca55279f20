"""Named arrays of one group as the columns of a table.

Shape letters: T rows, F columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import time_among
from surrogate_modeling.importing.readers.resampling import Channel, on_one_grid
from surrogate_modeling.importing.readers.tree import Found, Leaf

# Names of arrays of texts that are the names and the units of the columns beside them.
NAME_LISTS = ("names", "columns", "labels", "variables", "varnames", "signals", "channels", "columnnames", "header")
UNIT_LISTS = ("units", "unit", "einheiten")


def _parameters(found: Found) -> tuple[dict[str, float], dict[str, str], list[str]]:
    """Single numbers of a table and its outer groups, their units, and the names of texts that are neither."""
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    texts: list[str] = []
    for name, leaf in {**found.outer, **found.leaves}.items():
        if leaf.values.size != 1 or leaf.is_array:
            continue
        if leaf.is_text:
            texts.append(name)
            continue
        values[name] = float(leaf.values.reshape(-1)[0])
        units |= {name: leaf.unit} if leaf.unit else {}
    return values, units, texts


def raw_table(found: Found, options: ReadOptions, source: str, part: str) -> RawTable:
    """Make the table of a group.

    Args:
        found: the group.
        options: the step of series with times of their own.
        source: for messages.
        part: name of the table among those of the file.

    Raises:
        BadFile: arrays of different lengths, or of more than two dimensions.
    """
    table = _of_series(found, options, source) if found.series else _of_arrays(found, source)
    values, units, texts = _parameters(found)
    texts = [name for name in texts if not _is_unit_text(name) and not _of_series_only(name, found)]
    remarks = list(table.remarks)
    if texts:
        remarks.append(f"texts beside the arrays are left out: {', '.join(map(repr, texts))}")
    if empty := [name for name, leaf in found.leaves.items() if not leaf.values.size]:
        remarks.append(f"empty arrays are left out: {', '.join(map(repr, empty))}")
    if found.series:
        values = {name: value for name, value in values.items() if not _of_series_only(name, found)}
    return replace(table, parameters=values, parameter_units=units, part=part, remarks=tuple(remarks))


def _of_series_only(name: str, found: Found) -> bool:
    """Whether a number or text belongs to a time series: its name, its unit, how it is interpolated."""
    return name.partition("/")[0] in found.series


def _of_series(found: Found, options: ReadOptions, source: str) -> RawTable:
    """The table of time series, each a column or several."""
    channels: list[Channel] = []
    for name in found.series:
        inner = {path.rpartition("/")[2].lower(): leaf for path, leaf in found.leaves.items()
                 if path.startswith(f"{name}/")}  # fmt: skip
        time, data = inner["time"].values.reshape(-1).astype(float), inner["data"]
        if len(time) < 2:
            raise BadFile(source, f"series {name!r}: {len(time)} sample; at least two are needed")
        values, _ = _by_rows(f"{name}/data", data, len(time), f"{name}/time", source)
        text = inner.get("units", inner.get("unit"))
        unit = str(text.values.reshape(-1)[0]) if text is not None and text.is_text and text.values.size else data.unit
        names, _ = _column_names(name, data, values, {})
        channels += [Channel(column, time, values[:, i], unit) for i, column in enumerate(names)]
    frame, remarks = on_one_grid(channels, options.step, source)
    units = {channel.name: channel.unit for channel in channels if channel.unit}
    return RawTable(source, frame, units, time="time", remarks=remarks)


def _of_arrays(found: Found, source: str) -> RawTable:
    """The table of arrays of one length."""
    import pandas as pd

    arrays = {name: leaf for name, leaf in found.leaves.items() if leaf.values.size > 1}
    rows, measure = _length(arrays)
    columns: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    remarks: list[str] = []
    lists = _lists(arrays, rows)
    for name, leaf in arrays.items():
        if leaf.is_text and leaf.values.shape != (rows,):
            continue
        table, turned = _by_rows(name, leaf, rows, measure, source)
        remarks += [f"array {name!r} was transposed: its second dimension has the rows"] if turned else []
        names, of_names = _column_names(name, leaf, table, lists)
        for i, column in enumerate(names):
            if column in columns:
                raise BadFile(source, f"two columns are named {column!r}; rename one of them")
            columns[column] = table[:, i] if leaf.is_text else table[:, i].astype(float)
            units |= {column: of_names[i]} if of_names[i] else {}
    units |= _unit_texts(found.leaves, columns)
    return RawTable(source, pd.DataFrame(columns), units, time=time_among(columns), remarks=tuple(remarks))


def _length(arrays: Mapping[str, Leaf]) -> tuple[int, str]:
    """Rows of a table, and the array that says so: time, or else the longest one."""
    name = time_among(name for name, leaf in arrays.items() if leaf.is_array)
    if name is None:
        name = max((name for name in arrays if arrays[name].is_array), key=lambda name: max(arrays[name].values.shape))
    return max(arrays[name].values.shape), name


def _by_rows(name: str, leaf: Leaf, rows: int, measure: str, source: str) -> tuple[np.ndarray, bool]:
    """An array as (T, F), and whether it was transposed for that."""
    values = leaf.values
    if values.dtype.kind == "c":
        raise BadFile(source, f"array {name!r}: complex numbers; write their real and imaginary parts as two arrays")
    shape = tuple(size for size in values.shape if size > 1) or (1,)
    if len(shape) > 2:
        raise BadFile(
            source,
            f"array {name!r} has {len(shape)} dimensions {values.shape}; write it as rows and columns, or read others "
            "with parts=[...]",
        )
    table = values.reshape(shape)
    if shape[0] == rows:
        return table.reshape(rows, -1), False
    if len(shape) == 2 and shape[1] == rows:
        return table.T, True
    raise BadFile(
        source,
        f"array {name!r} has the shape {values.shape}, but {measure!r} has {rows} rows; write arrays of one length, or "
        "choose with parts=[...]",
    )


def _lists(arrays: Mapping[str, Leaf], rows: int) -> dict[str, tuple[str, ...]]:
    """Lists of names and of units of columns that lie beside the arrays."""
    found: dict[str, tuple[str, ...]] = {}
    for name, leaf in arrays.items():
        last = name.rpartition("/")[2].lower().replace("_", "")
        kind = "names" if last in NAME_LISTS else "units" if last in UNIT_LISTS else ""
        if kind and leaf.is_text and leaf.values.size != rows:
            found[kind] = tuple(str(text).strip() for text in leaf.values.reshape(-1))
    return found


def _column_names(
    name: str, leaf: Leaf, table: np.ndarray, lists: Mapping[str, tuple[str, ...]]
) -> tuple[Sequence[str], Sequence[str]]:
    """Names and units of the columns of an array (T, F)."""
    count = table.shape[1]
    if count == 1:
        return [name], [leaf.unit]
    names = next((some for some in (leaf.names, lists.get("names", ())) if len(some) == count), ())
    units = next((some for some in (leaf.units, lists.get("units", ())) if len(some) == count), ())
    return names or [f"{name}_{i}" for i in range(1, count + 1)], units or [leaf.unit] * count


def _is_unit_text(name: str) -> bool:
    return name.partition("/")[0].lower() in UNIT_LISTS


def _unit_texts(leaves: Mapping[str, Leaf], columns: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Units from a group of texts named ``units`` that has the names of the columns."""
    return {
        name.partition("/")[2]: str(leaf.values.reshape(-1)[0])
        for name, leaf in leaves.items()
        if leaf.is_text and leaf.values.size == 1 and _is_unit_text(name) and name.partition("/")[2] in columns
    }
