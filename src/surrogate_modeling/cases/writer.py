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


def write_case(path: Path, columns: Mapping[str, str], time: np.ndarray, values: np.ndarray) -> None:
    """Write one file in the case format, each float32 with the shortest digits that restore it.

    Args:
        path: of the file.
        columns: name -> unit, in the order of ``values``.
        time: (T,) [s].
        values: (T, F) float32.
    """
    time_name = "time"
    while time_name in columns:
        time_name += "_"
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerows([(time_name, *columns), ("s", *columns.values())])
    # Time rounded to a nanosecond, or a billionth of a step: t0 + k d should read 12.3, not 12.299999999999999.
    step = float(time[1] - time[0]) if len(time) > 1 else 1.0
    decimals = 9 + max(0, math.ceil(-math.log10(step)))
    arrays = [pa.array(np.round(time, decimals)), *(pa.array(np.ascontiguousarray(column)) for column in values.T)]
    table = pa.table(arrays, names=[str(i) for i in range(len(arrays))])
    content = io.BytesIO()
    content.write(head.getvalue().encode())
    pa_csv.write_csv(table, content, pa_csv.WriteOptions(include_header=False))
    write_atomic(path, content.getbuffer(), durable=False)
