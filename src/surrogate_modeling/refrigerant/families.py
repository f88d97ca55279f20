"""Schedule families: which one a case belongs to, apart from schedules so that asking stays light."""

from __future__ import annotations

import numpy as np

# Code of each family for the compiled control unit.
FAMILIES = {"random_steps": 0, "pi_control": 1, "thermostat": 2, "engine": 3}
GOLDEN = 0.6180339887498949


def family_of(number: int, families: dict[str, float], seed: int) -> str:
    """Family of a case: golden-ratio sequence, so that any first n cases come close to the shares."""
    start = np.random.default_rng(np.random.SeedSequence([seed, 0])).random()
    position = (start + number * GOLDEN) % 1.0 * sum(families.values())
    for name in FAMILIES:
        position -= families.get(name, 0.0)
        if position < 0.0:
            return name
    return [name for name in FAMILIES if families.get(name, 0.0) > 0.0][-1]
