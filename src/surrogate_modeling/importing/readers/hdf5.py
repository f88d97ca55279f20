"""Reads HDF5 files: groups of datasets of one length, tables of records, and arrays with named columns.

Units stand in an attribute ``unit`` or ``units`` of a dataset, names of the columns of an array in ``columns`` or
``names``. Numbers among the attributes of a group are parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.arrays import raw_table
from surrogate_modeling.importing.readers.tree import Leaf, Node, find_tables

if TYPE_CHECKING:
    import h5py

UNIT_ATTRIBUTES = ("unit", "units", "Unit", "Units", "UNIT", "UNITS")
NAME_ATTRIBUTES = ("columns", "names", "column_names", "labels", "header")
# Attributes of the format itself and of what writes it, which are no parameters.
OWN_ATTRIBUTES = ("CLASS", "VERSION", "TITLE", "DIMENSION_LIST", "REFERENCE_LIST", "NAME", "PYTABLES_FORMAT_VERSION")


def read_hdf5(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read the tables of an HDF5 file.

    Raises:
        BadFile: it cannot be read, was written by pandas' ``to_hdf``, or holds no table.
    """
    import h5py

    source = options.source(path)
    try:
        with h5py.File(path, "r") as file:
            tree = _group(file, source)
    except OSError as error:
        raise BadFile(source, f"no HDF5 file that can be read ({str(error).splitlines()[0]})") from None
    found = find_tables(tree, options, source)
    several = len(found) > 1
    return [raw_table(one, options, options.source(path, one.path), one.path if several else "") for one in found]


def _group(group: h5py.Group, source: str) -> dict[str, Node]:
    import h5py

    if "pandas_type" in group.attrs:
        raise BadFile(
            source,
            f"group {group.name!r} was written by pandas' to_hdf, in a form of its own; write the table with "
            "to_parquet(...) or to_csv(...) instead",
        )
    tree: dict[str, Node] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            tree[name] = _group(item, source)
        elif isinstance(item, h5py.Dataset):
            records = item.dtype.names
            if records:
                fields = _records(item)
                # The records of a dataset alone are the table of its group.
                tree |= fields if len(group) == 1 and not fields.keys() & tree.keys() else {name: fields}
            else:
                tree[name] = _leaf(item, source)
    for name, value in group.attrs.items():
        number = np.asarray(value)
        if number.size == 1 and number.dtype.kind in "biuf" and name not in OWN_ATTRIBUTES and name not in tree:
            tree[name] = Leaf(number)
    return tree


def _leaf(dataset: h5py.Dataset, source: str) -> Leaf:
    import h5py

    if dataset.dtype.kind not in "biufcSO":
        raise BadFile(source, f"dataset {dataset.name!r}: type {dataset.dtype}; numbers or texts are expected")
    if dataset.dtype.kind == "O" and h5py.check_string_dtype(dataset.dtype) is None:
        raise BadFile(source, f"dataset {dataset.name!r} holds references or lists; write numbers or texts")
    values = dataset[()]
    if dataset.dtype.kind in "SO":
        texts = [_text(value) for value in np.asarray(values).reshape(-1)]
        values = np.array(texts, dtype=object).reshape(dataset.shape)
    units = _texts(dataset, UNIT_ATTRIBUTES)
    names = _texts(dataset, NAME_ATTRIBUTES)
    return Leaf(np.asarray(values), units[0] if len(units) == 1 else "", names, units if len(units) > 1 else ())


def _records(dataset: h5py.Dataset) -> dict[str, Node]:
    """The fields of a table of records."""
    table = dataset[()]
    names = dataset.dtype.names
    units = _texts(dataset, UNIT_ATTRIBUTES)
    units = units if len(units) == len(names) else ("",) * len(names)
    fields: dict[str, Node] = {}
    for name, unit in zip(names, units, strict=True):
        values = np.asarray(table[name])
        if values.dtype.kind in "SO":
            values = np.array([_text(value) for value in values.reshape(-1)], dtype=object).reshape(values.shape)
        fields[name] = Leaf(values, unit)
    return fields


def _texts(dataset: h5py.Dataset, keys: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of the first of some attributes that is there."""
    for key in keys:
        if key in dataset.attrs:
            return tuple(_text(value).strip() for value in np.asarray(dataset.attrs[key]).reshape(-1))
    return ()


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
