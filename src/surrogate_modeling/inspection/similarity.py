"""Cases that are alike, and cases that stand out.

Shape letters: N cases, P points in time, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.case import Case, CaseSet

# Points in time at which cases are compared.
POINTS = 32
# Two cases are alike if they differ by less than this share of what two cases usually differ by.
ALIKE_SHARE = 0.05
# More cases are not compared with each other.
MAX_CASES = 3000
# Spreads around the median beyond which one feature of a case, or its distance from all, stands out.
FAR, FAR_DISTANCE = 12.0, 6.0
# A median absolute deviation times this is a standard deviation of normally distributed values.
MAD_TO_SPREAD = 1.4826
# The range of the middle nine of ten normally distributed values in standard deviations.
MOST_TO_SPREAD = 3.29
# Least spread of a feature, as share of the column's standard deviation: equal cases are no measure.
LEAST_SPREAD = 0.02
# A column that stands still in more than this share of the cases does so for a reason.
MOST_STUCK = 0.05
# Fewer cases have no usual case.
MIN_CASES = 8
FEATURES = ("mean", "spread", "largest jump", "lowest value", "highest value")


@dataclass(frozen=True)
class Suspect:
    """A case that stands out: its name, its distance from the usual case, and why."""

    case: str
    distance: float
    reason: str


@dataclass(frozen=True)
class Map:
    """Cases in the plane of their two largest differences (N, 2), for the picture."""

    names: list[str]
    places: np.ndarray


def alike_cases(case_set: CaseSet) -> list[list[str]]:
    """Groups of cases that hardly differ in any column."""
    # Imported here: no other part of the package needs SciPy's graphs, and each command would wait for them.
    from scipy.sparse.csgraph import connected_components

    cases = case_set.cases[:MAX_CASES]
    if len(cases) < 2:
        return []
    points = _points(cases)
    square = np.square(points).sum(axis=1)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * points @ points.T, 0.0) / points.shape[1])
    above = distance[np.triu_indices(len(cases), 1)]
    limit = ALIKE_SHARE * float(np.median(above))
    _, groups = connected_components(distance <= limit, directed=False)
    members: dict[int, list[str]] = {}
    for case, group in zip(cases, groups.tolist(), strict=True):
        members.setdefault(group, []).append(case.name)
    return [names for names in members.values() if len(names) > 1]


def map_of(case_set: CaseSet) -> Map:
    """The cases by their two principal components."""
    cases = case_set.cases[:MAX_CASES]
    points = _points(cases)
    centred = points - points.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(cases), 2))
    count = min(2, len(size))
    places[:, :count] = left[:, :count] * size[:count]
    return Map([case.name for case in cases], places)


def _points(cases: Sequence[Case]) -> np.ndarray:
    """Values of all columns at even shares of each case's duration (N, P F), in the columns' standard deviations."""
    tables = []
    for case in cases:
        rows = np.linspace(0, len(case.time) - 1, POINTS).round().astype(int)
        tables.append(case.values[rows].astype(np.float64))
    points = np.stack(tables)
    spread = points.std(axis=(0, 1))
    usable = spread > 1e-6 * np.abs(points).max(axis=(0, 1))
    return (points[:, :, usable] / spread[usable]).reshape(len(cases), -1)


def suspicious_cases(case_set: CaseSet) -> list[Suspect]:
    """Cases far from the usual one in mean, spread, jumps or range of a column, or with a column that stands still.

    Distances are in robust spreads (median, and range of the middle nine of ten cases), the farthest first.
    """
    cases = case_set.cases
    if len(cases) < MIN_CASES:
        return []
    features = np.stack([_features(case) for case in cases])
    spread = np.sqrt(np.square(features[:, 1]).mean(axis=0) + features[:, 0].var(axis=0))
    middle = np.median(features, axis=0)
    # Where two kinds of cases are mixed, the median absolute deviation may be 0, but not the range of most.
    most = np.diff(np.quantile(features, (0.05, 0.95), axis=0), axis=0)[0] / MOST_TO_SPREAD
    size = np.maximum(most, np.maximum(LEAST_SPREAD * spread, 1e-12))
    away = (features - middle) / size
    distance = np.sqrt(np.square(np.clip(away, -2 * FAR, 2 * FAR)).mean(axis=(1, 2)))
    usual = float(np.median(distance))
    limit = usual + FAR_DISTANCE * max(MAD_TO_SPREAD * float(np.median(np.abs(distance - usual))), 0.1 * usual)
    stuck = _stuck(features, spread)
    suspects = []
    for i, case in enumerate(cases):
        feature, column = np.unravel_index(int(np.abs(away[i]).argmax()), away[i].shape)
        reasons = [f"{name!r} does not move, as it does in most cases" for name in _names(case, stuck[i])]
        if distance[i] > limit or abs(away[i, feature, column]) > FAR:
            (name,) = _names(case, np.arange(away.shape[2]) == column)
            offset = case.channels.physical(np.zeros((1, away.shape[2]), np.float32))[0, column]
            shift = offset if FEATURES[feature] in ("mean", "lowest value", "highest value") else 0.0
            reasons.append(
                f"{FEATURES[feature]} of {name!r} is {features[i, feature, column] + shift:.4g}, usually "
                f"{middle[feature, column] + shift:.4g}"
            )
        if reasons:
            suspects.append(Suspect(case.name, float(distance[i]), "; ".join(reasons)))
    return sorted(suspects, key=lambda suspect: -suspect.distance)


def _features(case: Case) -> np.ndarray:
    """The ``FEATURES`` of each column of a case (5, F)."""
    values = case.values.astype(np.float64)
    jumps = np.abs(np.diff(values, axis=0)).max(axis=0)
    return np.stack((values.mean(axis=0), values.std(axis=0), jumps, values.min(axis=0), values.max(axis=0)))


def _stuck(features: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Whether a column stands still in a case (N, F), as it does in few others."""
    still = features[:, 1] <= 1e-6 * np.maximum(spread, 1e-12)
    return still & (still.sum(axis=0) <= max(1, MOST_STUCK * len(still))) & (spread > 0)


def _names(case: Case, which: np.ndarray) -> list[str]:
    names = (*case.channels.controls, *case.channels.predicted)
    return [name for name, chosen in zip(names, which, strict=True) if chosen]
