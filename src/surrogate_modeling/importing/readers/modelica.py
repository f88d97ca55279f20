"""Reads the trajectories that Dymola, OpenModelica and other Modelica tools write as MATLAB files of version 4.

Layout (OpenModelica User's Guide, "The MATv4 Result File Format"): the fourth line of ``Aclass`` says whether matrices
are stored by variables (``binTrans``) or by rows (``binNormal``). ``name`` and ``description`` have a text for each
variable, the latter with the unit at its end: ``pressure [Pa|bar]``, unit and unit for display. ``dataInfo`` says for
each variable in which matrix ``data_1``, ``data_2`` ... it lies (0: it is the time of all), and in which column, with
a minus sign where the values have the other sign. Column 1 of each matrix is its time. ``data_1`` has two rows:
parameters and constants. Of the older layout 1.0, ``names`` and ``data`` are the whole table.

Shape letters: V variables, T rows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import refuse_duplicates

UNIT = re.compile(r"\[([^\[\]]*)\]\s*$")
NEEDED = ("name", "description", "dataInfo", "data_1", "data_2")


@dataclass(frozen=True)
class Result:
    """Content of a result file, whatever its layout.

    Attributes:
        names: of the variables (V).
        units: of the same; empty where there is none.
        matrix: (V,) number of the matrix of each; 0 for time.
        column: (V,) column in it from 1, negative for values of the other sign.
        data: number -> matrix, a variable in each column, its time in the first.
    """

    names: list[str]
    units: list[str]
    matrix: np.ndarray
    column: np.ndarray
    data: dict[int, np.ndarray]

    def values(self, variable: int) -> np.ndarray:
        """Values of a variable in the rows of its matrix."""
        column = int(self.column[variable])
        values = self.data[int(self.matrix[variable]) or 2][:, abs(column) - 1].astype(float)
        return -values if column < 0 else values


def read_modelica(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read a result file: trajectories as columns, parameters and constants as parameters.

    Aliases are columns of their own, with their sign. Rows of one time, before and after an event, stay as they are.

    Raises:
        BadFile: matrices are missing, or do not fit each other.
    """
    import pandas as pd

    source = options.source(path)
    matrices = _load(path, source)
    lines = _lines(matrices["Aclass"])
    if "names" in matrices and "data" in matrices:
        names, data = _lines(matrices["names"]), matrices["data"]
        if data.ndim != 2 or data.shape[1] != len(names):
            raise BadFile(source, f"'data' has the shape {data.shape} for {len(names)} names; simulate again")
        refuse_duplicates(names, source)
        return [RawTable(source, pd.DataFrame(data.astype(float), columns=names), time=names[0])]
    result = _result(matrices, len(lines) > 3 and lines[3] == "binTrans", source)
    return [_table(result, source)]


def _load(path: Path, source: str) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    try:
        return dict(loadmat(str(path), appendmat=False, chars_as_strings=False))
    except Exception as error:  # scipy raises errors of struct and its own
        raise BadFile(source, f"no Modelica result that can be read ({error}); simulate again") from None


def _lines(characters: np.ndarray) -> list[str]:
    """The rows of a matrix of characters as texts; bytes of UTF-8 are put together again."""
    texts = []
    for row in characters:
        text = "".join(row).rstrip("\0 ")
        with contextlib.suppress(UnicodeEncodeError, UnicodeDecodeError):
            text = text.encode("latin-1").decode("utf-8")
        texts.append(text.strip("\0 "))
    return texts


def _result(matrices: Mapping[str, np.ndarray], transposed: bool, source: str) -> Result:
    missing = [name for name in NEEDED if name not in matrices]
    if missing:
        raise BadFile(source, f"a Modelica result without {', '.join(map(repr, missing))}; simulate again")
    turned = {name: matrix.T if transposed else matrix for name, matrix in matrices.items()
              if name != "Aclass" and isinstance(matrix, np.ndarray)}  # fmt: skip
    names, descriptions, info = _lines(turned["name"]), _lines(turned["description"]), turned["dataInfo"]
    data = {int(key[5:]): matrix for key, matrix in turned.items() if re.fullmatch(r"data_\d+", key)}
    if info.ndim != 2 or info.shape[1] < 2 or not len(info) == len(names) == len(descriptions):
        raise BadFile(
            source,
            f"{len(names)} names, {len(descriptions)} descriptions, dataInfo {info.shape}; the file was cut or is of "
            "another layout: simulate again",
        )
    matrix, column = info[:, 0].astype(int), info[:, 1].astype(int)
    for i, name in enumerate(names):
        of = data.get(int(matrix[i]) or 2)
        if of is None or not 1 <= abs(column[i]) <= of.shape[1]:
            raise BadFile(source, f"variable {name!r} is in column {column[i]} of data_{matrix[i]}, which is not there")
    return Result(names, [unit_of(text) for text in descriptions], matrix, column, data)


def unit_of(description: str) -> str:
    """The unit at the end of a description; empty without one.

    ``[K|degC]`` gives the unit before the one for display, and ``[:#(type=Boolean)]`` says a type only.
    """
    found = UNIT.search(description)
    return re.split(r"\||:#|;", found[1].replace('"', ""))[0].strip() if found else ""


def _table(result: Result, source: str) -> RawTable:
    import pandas as pd

    time = next((i for i, of in enumerate(result.matrix) if of == 0), 0)
    rows = result.data[2][:, 0].astype(float)
    columns = {result.names[time]: rows}
    units = {result.names[time]: result.units[time] or "s"}
    parameters: dict[str, float] = {}
    parameter_units: dict[str, str] = {}
    refuse_duplicates(result.names, source)
    for i, name in enumerate(result.names):
        if i == time:
            continue
        values, unit = result.values(i), result.units[i]
        if len(values) != len(rows) and np.array_equal(values, np.full(len(values), values[0]), equal_nan=True):
            parameters[name] = float(values[0])
            parameter_units |= {name: unit} if unit else {}
            continue
        columns[name] = _on_rows(result, i, values, rows, source)
        units |= {name: unit} if unit else {}
    if len(columns) < 2:
        raise BadFile(source, "no variable that changes with time; simulate again and store the variables")
    return RawTable(source, pd.DataFrame(columns), units, parameters, parameter_units, result.names[time])


def _on_rows(result: Result, variable: int, values: np.ndarray, rows: np.ndarray, source: str) -> np.ndarray:
    """Values of a variable on the rows of ``data_2``; those of two rows lie on the straight line between them."""
    number = int(result.matrix[variable]) or 2
    own = result.data[number][:, 0].astype(float)
    if np.array_equal(own, rows):
        return values
    if number > 2:
        raise BadFile(
            source,
            f"variable {result.names[variable]!r} has times of its own (data_{number}); store all variables at the "
            "same times (in Dymola: Store results, equidistant) or export a CSV",
        )
    return np.interp(rows, own, values)
