"""Write files in the case format.

Shape letters: T rows, F columns.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from surrogate_modeling.common.atomic_file import write_atomic


def write_case(
    path: Path, columns: Mapping[str, str], time: np.ndarray, values: np.ndarray, time_name: str = "time"
) -> None:
    """Write one file in the case format, each number with the shortest digits that restore it.

    Args:
        path: of the file.
        columns: name -> unit, in the order of ``values``.
        time: (T,) [s].
        values: (T, F) float32 or float64.
        time_name: of the first column.
    """
    # Time rounded to a nanosecond, or a billionth of a step: t0 + k d should read 12.3, not 12.299999999999999.
    step = float(time[1] - time[0]) if len(time) > 1 else 1.0
    decimals = 9 + max(0, math.ceil(-math.log10(step)))
    write_atomic(path, _as_csv(columns, np.round(time, decimals), values, time_name), durable=False)


def case_csv(columns: Mapping[str, str], time: np.ndarray, values: np.ndarray, digits: int) -> memoryview:
    """Format a case as CSV in the case format, each number rounded to significant digits.

    Args:
        columns: name -> unit, in the order of ``values``.
        time: (T,) [s].
        values: (T, F) float64.
        digits: how many.
    """
    # Adding zero leaves no negative zeros.
    return _as_csv(columns, round_significant(time, digits) + 0.0, round_significant(values, digits) + 0.0)


def round_significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to significant digits, so that the decimal form is short."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    exponent = np.where(np.isfinite(exponent), exponent, 0.0)
    places = np.clip(digits - 1 - exponent, -22, 22)
    up, down = 10.0 ** np.maximum(places, 0.0), 10.0 ** np.maximum(-places, 0.0)
    # Dividing by an exact power of ten gives the double nearest to the decimal; its inverse would not.
    return np.asarray(np.round(values * up / down) * down / up)


def _as_csv(columns: Mapping[str, str], time: np.ndarray, values: np.ndarray, time_name: str = "time") -> memoryview:
    """Names, units, and numbers with the shortest digits that restore them."""
    while time_name in columns:
        time_name += "_"
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerows([(time_name, *columns), ("s", *columns.values())])
    arrays = [pa.array(time), *(pa.array(np.ascontiguousarray(column)) for column in values.T)]
    table = pa.table(arrays, names=[str(i) for i in range(len(arrays))])
    content = io.BytesIO()
    content.write(head.getvalue().encode())
    pa_csv.write_csv(table, content, pa_csv.WriteOptions(include_header=False))
    return content.getbuffer()
