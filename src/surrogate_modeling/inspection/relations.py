"""Columns that say nothing of their own: copies, linear functions and running sums of others.

Shape letters: R rows of all cases, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.inspection.series import Series

# A column is a function of others where they leave this share of its variance: a thousandth of its standard deviation.
MAX_FUNCTION_REST = 1e-6
# Sums over steps of time are not exact.
MAX_INTEGRAL_REST = 1e-3
# With more columns a small rest is chance.
MAX_SOURCES = 3


@dataclass(frozen=True)
class Relation:
    """A column that others determine.

    Attributes:
        column: position.
        sources: positions of the others.
        kind: ``copy``, ``scaled`` (one column times a number, plus a number), ``function`` (linear, of several), or
            ``integral``.
        factor: of a scaled column, in units.
        level: what is added to it.
    """

    column: int
    sources: tuple[int, ...]
    kind: str
    factor: float = 1.0
    level: float = 0.0

    def text(self, names: Sequence[str]) -> str:
        """What the column is, in words."""
        sources = ", ".join(names[i] for i in self.sources)
        if self.kind == "scaled":
            return f"= {self.factor:.6g} x {sources}" + (f" {self.level:+.6g}" if self.level else "")
        return {"copy": "copy of ", "function": "linear function of ", "integral": "integral over time of "}[
            self.kind
        ] + sources


def find_relations(series: Series) -> list[Relation]:
    """Find the columns that others of the same row determine, later ones by earlier ones, and integrals of others."""
    varying = ~series.constant & series.shown
    rows = np.concatenate(series.cases)
    correlation = rows.T @ rows / len(rows)
    usable = varying.copy()
    found: dict[int, Relation] = {}
    for column in range(len(series.names) - 1, -1, -1):
        if not varying[column]:
            continue
        usable[column] = False
        sources = _sources(correlation, column, np.flatnonzero(usable))
        if sources:
            found[column] = _named(series, correlation, column, sources)
        else:
            usable[column] = True
    for relation in _integrals(series):
        found.setdefault(relation.column, relation)
    return [found[column] for column in sorted(found)]


def _sources(correlation: np.ndarray, column: int, others: np.ndarray) -> tuple[int, ...]:
    """Few columns that leave next to nothing of a column, chosen one after another; none where that fails."""
    chosen: list[int] = []
    for _ in range(min(MAX_SOURCES, len(others))):
        left = np.array([i for i in others if i not in chosen])
        rest = [_rest(correlation, column, [*chosen, int(i)]) for i in left]
        chosen.append(int(left[int(np.argmin(rest))]))
        if min(rest) <= MAX_FUNCTION_REST:
            return tuple(sorted(chosen))
        if min(rest) > 1e3 * MAX_FUNCTION_REST and len(chosen) == MAX_SOURCES:
            break
    return ()


def _rest(correlation: np.ndarray, column: int, sources: list[int]) -> float:
    """Share of a column's variance that a linear function of others leaves."""
    gram, cross = correlation[np.ix_(sources, sources)], correlation[sources, column]
    weights = np.linalg.lstsq(gram, cross, rcond=1e-10)[0]
    return float(max(0.0, correlation[column, column] - 2 * weights @ cross + weights @ gram @ weights))


def _named(series: Series, correlation: np.ndarray, column: int, sources: tuple[int, ...]) -> Relation:
    if len(sources) > 1:
        return Relation(column, sources, "function")
    (source,) = sources
    factor = float(correlation[source, column] * series.scale[column] / series.scale[source])
    level = float(series.mean[column] - factor * series.mean[source])
    if abs(level) < 1e-4 * series.scale[column]:
        level = 0.0
    if abs(factor - 1) < 1e-4 and not level:
        return Relation(column, sources, "copy")
    return Relation(column, sources, "scaled", factor, level)


def _integrals(series: Series) -> list[Relation]:
    """Columns whose increments are another column times a number."""
    changes = np.concatenate([np.diff(case, axis=0) for case in series.cases])
    # Held from the row before, held until the row after, or straight between the two.
    before, after = (np.concatenate([case[part] for case in series.cases]) for part in (slice(-1), slice(1, None)))
    matches = [_match(changes, rates + series.mean / series.scale) for rates in (before, after, (before + after) / 2)]
    match = np.where(series.constant | ~series.shown, 0.0, np.max(matches, axis=0))
    np.fill_diagonal(match, 0.0)
    best = match.argmax(axis=1)
    return [
        Relation(int(column), (int(best[column]),), "integral")
        for column in series.varying
        if match[column, best[column]] > 1 - MAX_INTEGRAL_REST
    ]


def _match(changes: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Share of the changes of each column that are a rate times a number (F, F); rates have no level to take off."""
    sizes = np.outer(np.square(changes).mean(axis=0), np.square(rates).mean(axis=0))
    return np.square(changes.T @ rates / len(changes)) / np.where(sizes > 0, sizes, np.inf)
