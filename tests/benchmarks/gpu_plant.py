"""A plant with memory and 53 outputs, for measurements that need nothing but NumPy and torch."""

from __future__ import annotations

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels

CONTROLS, PREDICTED = 9, 53
FEATURES = CONTROLS + PREDICTED


def channels() -> Channels:
    """Nine controls and 53 predicted columns, all targets but the last ten."""
    controls, predicted = (
        tuple(f"{letter}{i}" for i in range(count)) for letter, count in (("u", CONTROLS), ("y", PREDICTED))
    )
    return Channels(controls, predicted, predicted[:-10], dict.fromkeys((*controls, *predicted), "-"))


def plant_cases(count: int, rows: int, seed: int = 0) -> list[Case]:
    """Cases in one array, as cases are read to: outputs are lags of bent mixtures of the controls.

    Args:
        count: of cases.
        rows: of each.
        seed: of the controls and of where the outputs start; the plant is the same for all seeds.
    """
    plant, random = np.random.default_rng(0), np.random.default_rng(seed + 1)
    mixture = plant.normal(0.0, 1.0, (CONTROLS, PREDICTED)).astype(np.float32) / 3.0
    move = (1.0 / np.geomspace(3.0, 300.0, PREDICTED)).astype(np.float32)
    base = np.empty((count * rows, FEATURES), np.float32)
    values = base.reshape(count, rows, FEATURES)
    steps = -(-rows // 40)
    held = random.uniform(-1.0, 1.0, (count, steps, CONTROLS)).astype(np.float32)
    values[..., :CONTROLS] = np.repeat(held, 40, axis=1)[:, :rows]
    state = random.uniform(-0.5, 0.5, (count, PREDICTED)).astype(np.float32)
    for row in range(rows):
        state += move * (np.tanh(values[:, row, :CONTROLS] @ mixture) - state)
        values[:, row, CONTROLS:] = state
    time = np.arange(rows, dtype=np.float64)
    return [Case(f"case{i}", time, base[i * rows : (i + 1) * rows], channels()) for i in range(count)]
