"""A case and a set of cases in memory. Imports NumPy only: a surrogate is used without what reads files.

Shape letters: N all rows, T rows of a case, F feature (C controls, then P predicted columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from surrogate_modeling.cases.channels import Channels


@dataclass(frozen=True)
class Case:
    """One simulation.

    Attributes:
        name: of its file, without the ending.
        time: (T,) [s].
        values: (T, F) float32, controls first, less ``channels.offsets``: what is held in memory and trained on.
            Everything else takes the columns below, which are in their units.
        channels: the columns.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    channels: Channels

    @property
    def controls(self) -> np.ndarray:
        """Controls of all rows (T, C)."""
        return self.channels.physical(self.values[:, : len(self.channels.controls)])

    @property
    def outputs(self) -> np.ndarray:
        """Predicted columns of all rows (T, P)."""
        return self.truth(len(self.values))

    def column(self, position: int) -> np.ndarray:
        """One column of all rows (T,), in its unit; ``position`` counts the controls, then the predicted columns."""
        return self.channels.physical(self.values[:, position : position + 1], position)[:, 0]

    def truth(self, rows: int) -> np.ndarray:
        """Predicted columns of the last rows (rows, P), which a free run is compared with."""
        controls = len(self.channels.controls)
        return self.channels.physical(self.values[len(self.values) - rows :, controls:], controls)


@dataclass(frozen=True)
class RowTable:
    """All rows of some cases in one array (N, F), as the cases hold them, and where each case begins, by name."""

    values: np.ndarray
    first: Mapping[str, int]

    def rows_of(self, name: str, count: int) -> np.ndarray:
        """The rows (count, F) of a case, as a read-only view."""
        rows = self.values[self.first[name] :][:count]
        rows.flags.writeable = False
        return rows

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Self:
        """A copy of the rows of cases that do not share an array."""
        starts = np.cumsum([0, *(len(case.values) for case in cases)]).tolist()
        values = np.concatenate([case.values for case in cases], dtype=np.float32)
        return cls(values, dict(zip((case.name for case in cases), starts[:-1], strict=True)))


@dataclass(frozen=True)
class CaseSet:
    """All cases of a folder on one step [s].

    Attributes:
        cases: in natural name order.
        channels: their columns.
        step: between rows [s].
        fingerprint: digest of the files' content.
        table: the rows that the cases are views of; None where every case has its own.
        groups: group of each case, for scores per group; empty without groups.
    """

    cases: list[Case]
    channels: Channels
    step: float
    fingerprint: str
    table: RowTable | None = None
    groups: dict[str, str] = field(default_factory=dict)
