"""Cases of a run for a report: their split, and range and histogram of every column.

Shape letters: F columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case, extremes
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.reporting.content import Content

BINS = 32
# Rows of each part that a histogram counts.
MAX_ROWS = 200_000


def channels_content(channels: Channels) -> Content:
    """Names, roles and units of the columns."""
    return {
        "controls": list(channels.controls),
        "parameters": list(channels.parameters),
        "predicted": list(channels.predicted),
        "targets": list(channels.targets),
        "units": [channels.units[name] for name in (*channels.controls, *channels.predicted)],
    }


def dataset_content(split: CaseSplit, channels: Channels, step: float, fingerprint: str) -> Content:
    """The cases with their parts, and every column."""
    parts = {"training": split.training, "validation": split.validation, "test": split.test}
    return {
        "fingerprint": fingerprint,
        "step": step,
        "cases": [
            {
                "name": case.name,
                "part": part,
                "unit": case.unit,
                "rows": len(case.time),
                "seconds": float(case.time[-1] - case.time[0]),
            }
            for part, cases in parts.items()
            for case in cases
        ],
        "columns": _columns([*split.training, *split.validation], split.test, channels),
    }


def _columns(known: Sequence[Case], test: Sequence[Case], channels: Channels) -> list[Content]:
    """Range, mean, standard deviation and histogram of each column, over the cases of the training and of the test."""
    names = (*channels.controls, *channels.predicted)
    strides = [max(1, sum(len(case.time) for case in part) // MAX_ROWS) for part in (known, test)]
    # One pass for all columns: the rows may lie in a file that memory does not hold.
    rows = [
        np.concatenate([channels.physical(case.values[::stride]) for case in part])
        if part
        else np.empty((0, len(names)))
        for part, stride in zip((known, test), strides, strict=True)
    ]
    ranges = [_ranges(part, channels) for part in (known, test)]
    columns = []
    for j, name in enumerate(names):
        values, others = (part[:, j].astype(np.float64) for part in rows)
        (own_low, own_high), (test_low, test_high) = ((float(low[j]), float(high[j])) for low, high in ranges)
        low, high = min(own_low, test_low), max(own_high, test_high)
        edges = (low, high) if high > low else (low - 0.5, high + 0.5)
        columns.append(
            {
                "name": name,
                "low": own_low,
                "high": own_high,
                "mean": float(values.mean()),
                "std": float(values.std()),
                "constant": own_low == own_high,
                "test_low": test_low if len(others) else None,
                "test_high": test_high if len(others) else None,
                "edges": list(edges),
                "counts": np.histogram(values, BINS, edges)[0].tolist(),
                "test_counts": np.histogram(others, BINS, edges)[0].tolist() if len(others) else None,
                "every": strides[0],
            }
        )
    return columns


def _ranges(cases: Sequence[Case], channels: Channels) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each column over all rows (F,); infinite the wrong way round without cases."""
    if not cases:
        none = np.full(len(channels.controls) + len(channels.predicted), np.inf)
        return none, -none
    low, high = extremes(cases)
    return channels.physical(low.min(axis=0)), channels.physical(high.max(axis=0))
