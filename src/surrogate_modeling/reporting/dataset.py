"""Cases of a run for a report: their split, and range and histogram of every column.

Shape letters: F columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case
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
    columns = []
    for j, name in enumerate(names):
        values, others = (part[:, j].astype(np.float64) for part in rows)
        both = np.concatenate((values, others))
        low, high = float(both.min()), float(both.max())
        edges = (low, high) if high > low else (low - 0.5, high + 0.5)
        columns.append(
            {
                "name": name,
                "low": float(values.min()),
                "high": float(values.max()),
                "mean": float(values.mean()),
                "std": float(values.std()),
                "constant": bool(values.min() == values.max()),
                "test_low": float(others.min()) if len(others) else None,
                "test_high": float(others.max()) if len(others) else None,
                "edges": list(edges),
                "counts": np.histogram(values, BINS, edges)[0].tolist(),
                "test_counts": np.histogram(others, BINS, edges)[0].tolist() if len(others) else None,
                "every": strides[0],
            }
        )
    return columns
