"""A case and a set of cases in memory.

Shape letters: T rows of a case, F feature (controls, then predicted columns).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from surrogate_modeling.cases.channels import Channels


@dataclass(frozen=True)
class GridCase:
    """One case on its time grid: time (T,) float64 [s], values (T, F) float32, digest of the file it came from."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    digest: str


@dataclass(frozen=True)
class Case:
    """One simulation: time (T,) [s] and values (T, F) float32, controls first, in physical units."""

    name: str
    time: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class CaseSet:
    """All cases of a folder on one step [s], their columns, a digest of their content, and groups to score apart."""

    cases: list[Case]
    channels: Channels
    step: float
    fingerprint: str
    groups: dict[str, str] = field(default_factory=dict)
