"""Cases that reach far beyond all others, as a simulation does that diverged: they would decide every scale.

Shape letters: N cases, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.common.wording import counted, with_unit

# A case is far beyond the others if its largest absolute value is so many times theirs.
BEYOND = 100.0
# The others must agree as well: a column that is nearly 0 in most of them has no usual size, nor one that is all noise.
AGREEING = 100.0
LEAST_SIZE = 1e-6
# More cases than this share are a kind of their own.
MOST_BEYOND = 0.2
# Fewer cases have no usual one.
MIN_CASES = 4


@dataclass(frozen=True)
class Excess:
    """A case that reaches far beyond all others.

    Attributes:
        case: its name.
        columns: in which it does, the worst first.
        size: largest absolute value of the worst, in its unit.
        usual: that of the cases that do not stand out.
        unit: of the worst.
    """

    case: str
    columns: tuple[str, ...]
    size: float
    usual: float
    unit: str

    def __str__(self) -> str:
        more = f" (and so in {counted(len(self.columns) - 1, 'more column')})" if len(self.columns) > 1 else ""
        size, usual = (with_unit(f"{value:.4g}", self.unit) for value in (self.size, self.usual))
        return f"{self.case}: reaches {size} in column {self.columns[0]!r}{more}, the other cases at most {usual}"


def find_excesses(
    cases: Sequence[str], columns: Sequence[str], units: Sequence[str], sizes: np.ndarray
) -> tuple[Excess, ...]:
    """Find the cases that reach far beyond all others in some column, the worst first.

    Args:
        cases: their names (N).
        columns: their names (F).
        units: of the columns (F).
        sizes: (N, F) largest absolute value of each column in each case.
    """
    if len(cases) < MIN_CASES:
        return ()
    usual = _usual(sizes)
    ratio = sizes / usual
    found = []
    for i in np.argsort(-ratio.max(axis=1), kind="stable"):
        beyond = [int(j) for j in np.argsort(-ratio[i], kind="stable") if ratio[i, j] > BEYOND]
        if beyond:
            worst = beyond[0]
            names = tuple(columns[j] for j in beyond)
            found.append(Excess(cases[i], names, float(sizes[i, worst]), float(usual[worst]), units[worst]))
    return tuple(found)


def _usual(sizes: np.ndarray) -> np.ndarray:
    """Largest size of the cases that do not stand out (F,); infinite where none does."""
    ordered = np.sort(sizes, axis=0)
    most = max(1, int(MOST_BEYOND * len(sizes)))
    usual = np.full(sizes.shape[1], np.inf)
    for last in range(len(sizes) - 2, len(sizes) - 2 - most, -1):
        agreeing = (ordered[last] <= AGREEING * np.median(ordered[: last + 1], axis=0)) & (ordered[last] > LEAST_SIZE)
        usual = np.where(agreeing & (ordered[last + 1] > BEYOND * ordered[last]), ordered[last], usual)
    return usual
