"""Calibrate the uncertainty band of a trained surrogate on the validation cases.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.surrogate.band import LEVEL, calibrate_band
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
# Training cases in free run for the growth of the error; more of them hardly move a mean.
GROWTH_CASES = 64


def add_band(surrogate: Surrogate, split: CaseSplit) -> None:
    """Calibrate the 90 % band; warns when there are too few validation cases for it."""
    chosen = np.linspace(0, len(split.training) - 1, min(len(split.training), GROWTH_CASES)).astype(int)
    training = [split.training[i] for i in chosen]
    banded = surrogate.predict_spread(split.validation)
    errors = _errors(split.validation, [mean for mean, _ in banded])
    spreads = [spread for _, spread in banded]
    growth = _errors(training, surrogate.predict(training))
    surrogate.band = band = calibrate_band(growth, errors, spreads, surrogate.predicted_scale)
    if band is None:
        log.warning("no uncertainty band: there are no validation cases, or the free run over some cases diverged")
    elif band.level < LEVEL:
        log.warning(
            "the uncertainty band rests on %d validation case(s): it can promise %.0f %%, not %.0f %%, which takes 9",
            band.cases, 100 * band.level, 100 * LEVEL,
        )  # fmt: skip


def _errors(cases: Sequence[Case], predicted: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Absolute errors (H, P) of each case."""
    return [
        np.abs(rows.astype(np.float64) - case.truth(len(rows))) for case, rows in zip(cases, predicted, strict=True)
    ]
