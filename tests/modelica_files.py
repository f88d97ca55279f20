"""Writes Modelica result files by the public description of their layout (OpenModelica User's Guide, MATv4)."""

import struct
from pathlib import Path

import numpy as np

# Name, description, number of the matrix, column with sign.
Variable = tuple[str, str, int, int]


def _characters(texts: list[str]) -> np.ndarray:
    """(texts, longest) bytes, filled with spaces."""
    raw = [text.encode() for text in texts]
    width = max(map(len, raw))
    return np.array([list(text.ljust(width)) for text in raw], dtype=np.uint8)


def _matrix(name: str, values: np.ndarray) -> bytes:
    """One matrix of a MAT file of version 4: five numbers, the name, the values column by column."""
    kind = {"f8": 0, "f4": 10, "i4": 20, "u1": 51}[values.dtype.str[1:]]
    rows, columns = values.shape
    head = struct.pack("<5i", kind, rows, columns, 0, len(name) + 1)
    return head + name.encode() + b"\0" + values.tobytes(order="F")


def write_result(
    path: Path, variables: list[Variable], data: list[np.ndarray], transposed: bool = True, single: bool = False
) -> Path:
    """A result of layout 1.1; ``data`` are data_1 and data_2 with a variable in each column, time first."""
    info = np.array([[matrix, column, 0, -1] for _, _, matrix, column in variables], dtype=np.int32)
    parts = {
        "name": _characters([variable[0] for variable in variables]),
        "description": _characters([variable[1] for variable in variables]),
        "dataInfo": info,
    }
    parts |= {f"data_{i}": table.astype("f4" if single else "f8") for i, table in enumerate(data, start=1)}
    content = _matrix("Aclass", _characters(["Atrajectory", "1.1", "", "binTrans" if transposed else "binNormal"]))
    content += b"".join(_matrix(name, table.T if transposed else table) for name, table in parts.items())
    path.write_bytes(content)
    return path


def write_old_result(path: Path, names: list[str], data: np.ndarray) -> Path:
    """A result of layout 1.0, as Dymola exports what is plotted."""
    content = _matrix("Aclass", _characters(["Atrajectory", "1.0", ""]))
    path.write_bytes(content + _matrix("names", _characters(names)) + _matrix("data", data.astype("f8")))
    return path
