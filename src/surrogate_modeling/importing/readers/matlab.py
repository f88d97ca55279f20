"""Reads MATLAB files: versions 4 to 7 with scipy, version 7.3 as HDF5, results of Modelica tools as what they are.

Arrays, structs, arrays of structs and cells are read, and the structures that Simulink writes with its time. Tables,
timetables, timeseries and other objects are stored in a form that only MATLAB reads, and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.arrays import raw_table
from surrogate_modeling.importing.readers.modelica import read_modelica
from surrogate_modeling.importing.readers.tree import Leaf, Node, find_tables

if TYPE_CHECKING:
    import h5py

# First bytes of HDF5; a file of version 7.3 has them after a header of 512 bytes.
HDF5_SIGNATURE, HDF5_OFFSETS = b"\x89HDF\r\n\x1a\n", (0, 512)
# Names in a file of version 7.3 that hold what references and objects point to.
INTERNAL = ("#refs#", "#subsystem#")
# Class of objects whose kind scipy does not tell.
OBJECT = "object, such as a table or timeseries,"


def read_mat(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read the tables of a MATLAB file, or the trajectories of a Modelica result.

    Raises:
        BadFile: it cannot be read, holds objects of MATLAB, or no table.
    """
    source = options.source(path)
    if _is_hdf5(path):
        tree = _read_73(path, source)
    else:
        if "Aclass" in _names(path, source):
            return read_modelica(path, options)
        tree = {name: _node(value, name, source) for name, value in _load(path, source).items()}
    found = find_tables({name: _plain(node) for name, node in tree.items()}, options, source)
    several = len(found) > 1
    return [raw_table(one, options, options.source(path, one.path), one.path if several else "") for one in found]


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(HDF5_OFFSETS[-1] + len(HDF5_SIGNATURE))
    return any(start[offset:].startswith(HDF5_SIGNATURE) for offset in HDF5_OFFSETS)


def _names(path: Path, source: str) -> list[str]:
    """Names of the variables of a file of version 4 to 7."""
    from scipy.io import whosmat

    try:
        return [str(name) for name, _, _ in whosmat(str(path), appendmat=False)]
    except Exception as error:  # scipy raises errors of zlib, struct and its own
        raise _unreadable(error, source) from None


def _unreadable(error: Exception, source: str) -> BadFile:
    return BadFile(source, f"no MATLAB file that can be read ({error}); save it again with save -v7")


def _load(path: Path, source: str) -> dict[str, object]:
    """The variables of a file of version 4 to 7 by name."""
    from scipy.io import loadmat

    try:
        variables = loadmat(str(path), appendmat=False, simplify_cells=True)
    except Exception as error:  # scipy raises errors of zlib, struct and its own
        raise _unreadable(error, source) from None
    # Objects lie under the name None, or under one that begins so.
    if any(name is None or str(name).startswith("__function_workspace") for name in variables):
        _refuse_object(OBJECT, "", source)
    return {name: value for name, value in variables.items() if not str(name).startswith("__")}


def _refuse_object(kind: str, name: str, source: str) -> NoReturn:
    raise BadFile(
        source,
        f"{f'variable {name!r} is' if name else 'it holds'} a MATLAB {kind} which only MATLAB can read; in MATLAB "
        "write a table T with parquetwrite('T.parquet', T) or writetable(T, 'T.csv'), and a timeseries ts as "
        "s.time = ts.Time; s.data = ts.Data; save('s.mat', 's')",
    )


def _node(value: object, name: str, source: str) -> Node:
    """What scipy read, as a tree."""
    from scipy.io.matlab import MatlabFunction, MatlabOpaque

    if isinstance(value, MatlabOpaque | MatlabFunction):
        _refuse_object(OBJECT, name, source)
    if isinstance(value, Mapping):
        return {str(key): _node(item, f"{name}.{key}", source) for key, item in value.items()}
    array = np.asarray(value) if not isinstance(value, list) else np.array(value, dtype=object)
    if array.dtype.kind == "O":
        cells = list(array.reshape(-1))
        if all(isinstance(cell, str) for cell in cells):
            return Leaf(array)
        return [_node(cell, f"{name}{{{i}}}", source) for i, cell in enumerate(cells, start=1)]
    if hasattr(value, "toarray"):  # a sparse matrix
        return Leaf(np.asarray(value.toarray()))
    if array.dtype.kind not in "biufcUS":
        _refuse_object(OBJECT, name, source)
    return Leaf(array.astype(object) if array.dtype.kind in "US" else array)


def _plain(node: Node) -> Node:
    """Signals of Simulink's structures with time as arrays by their labels."""
    if isinstance(node, Leaf):
        return node
    if not isinstance(node, Mapping):
        return [_plain(child) for child in node]
    signals = node.get("signals")
    if not {"time", "signals"} <= set(node) or signals is None or isinstance(signals, Leaf):
        return {name: _plain(child) for name, child in node.items()}
    flat: dict[str, Node] = {"time": node["time"]}
    several: Sequence[Node] = [signals] if isinstance(signals, Mapping) else signals
    for i, signal in enumerate(several, start=1):
        if isinstance(signal, Mapping) and "values" in signal:
            name = _label(signal) or f"signal{i}"
            flat[name if name not in flat else f"{name}_{i}"] = signal["values"]
    return flat


def _label(signal: Mapping[str, Node]) -> str:
    label = signal.get("label")
    return str(label.values.reshape(-1)[0]).strip() if isinstance(label, Leaf) and label.values.size == 1 else ""


def _read_73(path: Path, source: str) -> dict[str, Node]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {name: _node_73(item, file, source) for name, item in file.items() if name not in INTERNAL}
    except OSError as error:
        raise BadFile(source, f"no MATLAB file that can be read ({str(error).splitlines()[0]})") from None


def _is_field(item: h5py.Group | h5py.Dataset) -> bool:
    """Whether a dataset holds references without saying that it is a cell array."""
    kind = getattr(item, "dtype", None)
    return kind is not None and kind.kind == "O" and not item.attrs


def _parts(node: Node) -> Sequence[Node]:
    """The values of a field of an array of structs; texts were put together."""
    if isinstance(node, Leaf):
        return [Leaf(np.array(text, dtype=object)) for text in node.values.reshape(-1)]
    return list(node.values()) if isinstance(node, Mapping) else node


def _node_73(item: h5py.Group | h5py.Dataset, file: h5py.File, source: str) -> Node:
    """A variable of a file of version 7.3, whose arrays have their dimensions in reverse."""
    import h5py

    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    name = str(item.name).strip("/")
    if "MATLAB_object_decode" in item.attrs or kind in ("table", "timetable", "timeseries", "datetime", "string"):
        _refuse_object(f"{kind or 'object'},", name, source)
    if isinstance(item, h5py.Group):
        fields = {key: _node_73(child, file, source) for key, child in item.items()}
        # An array of structs has for each field the references to the values of all of them.
        if item and all(_is_field(child) for child in item.values()):
            structs = zip(*map(_parts, fields.values()), strict=True)
            return [dict(zip(fields, values, strict=True)) for values in structs]
        return fields
    if "MATLAB_empty" in item.attrs:
        return Leaf(np.zeros(0))
    if item.dtype.kind == "O":
        children = [_node_73(file[reference], file, source) for reference in np.asarray(item[()]).T.reshape(-1)]
        texts = [child.values.reshape(-1)[0] for child in children if isinstance(child, Leaf) and child.is_text]
        return Leaf(np.array(texts, dtype=object)) if len(texts) == len(children) else children
    values = np.asarray(item[()]).T
    if kind == "char":
        return Leaf(np.array("".join(map(chr, values.reshape(-1).tolist())), dtype=object))
    if values.dtype.names:
        values = values["real"] + 1j * values["imag"]
    return Leaf(np.squeeze(values))
