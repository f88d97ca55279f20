"""Schedule families and the family of each case; separate from ``schedules`` to keep the import light."""

from __future__ import annotations

import numpy as np

# Codes of the compiled control unit; an open loop takes the compressor speed as it is in the schedule.
OPEN_LOOP, RANDOM_STEPS, PI_CONTROL, THERMOSTAT, ENGINE = range(-1, 4)
FAMILIES = {"random_steps": RANDOM_STEPS, "pi_control": PI_CONTROL, "thermostat": THERMOSTAT, "engine": ENGINE}
GOLDEN_RATIO_FRACTION = 0.6180339887498949


def family_of(number: int, families: dict[str, float], seed: int) -> str:
    """Family of a case, by a golden-ratio sequence: the first n cases approximate the shares for every n."""
    start = np.random.default_rng(np.random.SeedSequence([seed, 0])).random()
    position = (start + number * GOLDEN_RATIO_FRACTION) % 1.0 * sum(families.values())
    for name in FAMILIES:
        position -= families.get(name, 0.0)
        if position < 0.0:
            return name
    return [name for name in FAMILIES if families.get(name, 0.0) > 0.0][-1]
