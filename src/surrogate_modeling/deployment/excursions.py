"""Find inputs and predictions beyond the training range of their column, where predictions deserve less trust.

A network interpolates between its training data; beyond, its answer is a guess, however smooth it looks. The range is
that of each column by itself; how far a combination is from the training cases is said by ``TrainingRange``.

Shape letters: T rows of a case, H predicted rows, F columns (C controls, then P predicted).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import csv_text
from surrogate_modeling.common.wording import counted, level_text, with_unit
from surrogate_modeling.surrogate.training_range import Range


@dataclass(frozen=True)
class Excursion:
    """A column of a case beyond one side of its training range.

    Attributes:
        what: ``control``, ``initial`` (a given row of a predicted column), or ``predicted`` (a row that the network
            predicted and was fed again).
        side: ``below`` or ``above``.
        rows: how many rows are beyond.
        first_time: of them [s].
        last_time: of them [s].
        worst_time: of the row farthest beyond [s].
        worst: its value.
        low: smallest training value.
        high: largest training value.
        excess: how far beyond the worst is, in the column's unit.
        excess_share: the same as a share of the training range; NaN for a column that was constant.
    """

    case: str
    column: str
    unit: str
    what: str
    side: str
    rows: int
    first_time: float
    last_time: float
    worst_time: float
    worst: float
    low: float
    high: float
    excess: float
    excess_share: float

    def __str__(self) -> str:
        first, last, low, high = map(self._text, ("first_time", "last_time", "low", "high"))
        span = f"at {first} s" if self.rows == 1 else f"from {first} to {last} s"
        rows = f"in {counted(self.rows, 'row')} {span}, by up to {with_unit(f'{self.excess:g}', self.unit)}"
        place = f"{self.case}: {self.what} {self.column!r} {self.side}"
        if math.isnan(self.excess_share):
            return f"{place} {with_unit(low, self.unit)}, its value throughout the training cases, {rows}"
        share = self.excess_share
        relative = f"{100 * share:.0f} %" if share < 1 else f"{share:.3g} times the width"
        return f"{place} its training range {low} to {with_unit(high, self.unit)} {rows} ({relative} of the range)"

    def cells(self) -> list[str]:
        """Its line of the table; a share of an empty range is left out."""
        return [self._text(field.name) for field in fields(self)]

    def _text(self, name: str) -> str:
        """One of the attributes, with the digits that it needs beside the others."""
        value = getattr(self, name)
        if not isinstance(value, float):
            return str(value)
        if math.isnan(value):
            return ""
        if name.endswith("_time"):
            return f"{value:.12g}"
        # A column that was constant has no width: what counts is how far it is from there.
        width = self.high - self.low or self.excess
        return level_text(value, width, 7) if name in ("worst", "low", "high") else f"{value:.7g}"


def find_excursions(case: Case, predicted: np.ndarray, training: Range, given: int) -> list[Excursion]:
    """Find all parts of one case, as the network reads and predicts it, that lie beyond the training range.

    Args:
        case: values (T, F); of the predicted columns only the given rows are looked at.
        predicted: (H, P), the last H rows.
        training: the training range.
        given: rows of the predicted columns that the prediction starts from.
    """
    controls, ahead = len(training.channels.controls), len(case.time) - len(predicted)
    stretches = [("control", i, case.time, column) for i, column in enumerate(case.controls.T)]
    for j, column in enumerate(case.outputs[:given].T):
        stretches.append(("initial", controls + j, case.time[:given], column))
        stretches.append(("predicted", controls + j, case.time[ahead:], predicted[:, j]))
    found = []
    for what, column, time, values in stretches:
        low, high = float(training.low[column]), float(training.high[column])
        for side, beyond in (("below", low - values), ("above", values - high)):
            if (rows := np.flatnonzero(beyond > 0)).size:
                worst = rows[np.argmax(beyond[rows])]
                name = (*training.channels.controls, *training.channels.predicted)[column]
                excess = float(beyond[worst])
                found.append(
                    Excursion(
                        case.name, name, training.channels.units[name], what, side, len(rows),
                        float(time[rows[0]]), float(time[rows[-1]]), float(time[worst]), float(values[worst]),
                        low, high, excess, excess / (high - low) if high > low else np.nan,
                    )
                )  # fmt: skip
    return found


class ExcursionTable:
    """CSV table with a line per excursion, written even when interrupted; it has its header even without any.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.cases: dict[str, set[str]] = {"control": set(), "initial": set(), "predicted": set()}
        self._path = path
        self._lines: list[list[str]] = [[field.name for field in fields(Excursion)]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        write_atomic(self._path, csv_text(self._lines).encode(), durable=False)

    @property
    def input_cases(self) -> set[str]:
        """Names of the cases whose given values are beyond the range."""
        return self.cases["control"] | self.cases["initial"]

    def add(self, excursion: Excursion) -> None:
        """Add one line."""
        self.count += 1
        self.cases[excursion.what].add(excursion.case)
        self._lines.append(excursion.cells())
