"""Made-up cases of a size that a refrigerant circuit has: smooth, random, quick to make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.writer import write_case

if TYPE_CHECKING:
    from surrogate_modeling.surrogate.scaling import Standardizer

CONTROLS, PREDICTED = 10, 52
ROWS, RAW_STEPS = 3300, 10


def make_channels(controls: int = CONTROLS, predicted: int = PREDICTED) -> Channels:
    """So many columns, all predicted ones targets but the last ten."""
    names = [f"u{i}" for i in range(controls)], [f"y{i}" for i in range(predicted)]
    targets = names[1][: max(1, predicted - 10)]
    return Channels(tuple(names[0]), tuple(names[1]), tuple(targets), dict.fromkeys((*names[0], *names[1]), "-"))


def smooth_values(rows: int, seed: int, columns: int = CONTROLS + PREDICTED) -> np.ndarray:
    """(rows, columns) float32: sums of three sines with random periods of 20 to 2,000 rows."""
    random = np.random.default_rng(seed)
    time = np.arange(rows)[:, None]
    values = np.zeros((rows, columns), np.float32)
    for _ in range(3):
        period, phase = random.uniform(20, 2000, columns), random.uniform(0, 6.28, columns)
        values += np.sin(time * (6.28 / period) + phase).astype(np.float32)
    return values


def make_cases(count: int, rows: int = ROWS) -> list[Case]:
    """Cases in memory on a step of 1 s."""
    time, channels = np.arange(rows, dtype=np.float64), make_channels()
    return [Case(f"case{i}", time, smooth_values(rows, i), channels) for i in range(count)]


def write_raw_case(path: Path, seed: int, rows: int = ROWS * RAW_STEPS, step: float = 1.0 / RAW_STEPS) -> Path:
    """A case file as a simulator leaves it: ten rows per second."""
    write_case(path, make_channels().units, step * np.arange(rows), smooth_values(rows, seed))
    return path


def fitted(cases: list[Case]) -> Standardizer:
    """Scaling of some cases."""
    # Here, so that who measures the memory of reading cases has no torch yet.
    from surrogate_modeling.surrogate.scaling import Standardizer

    scaling = Standardizer(cases[0].values.shape[1])
    scaling.fit(case.values for case in cases)
    return scaling
