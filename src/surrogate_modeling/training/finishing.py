"""Last steps of a training: the effects of units, and the band around what is predicted with them."""

from __future__ import annotations

import numpy as np

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.calibration import add_band, spread_over
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.unit_effects import FittedUnits, FreeRuns, fit_units

# Training cases in free run whose residuals may help to find what a unit has of its own.
UNIT_CASES = 512


def add_units_and_band(surrogate: Surrogate, split: CaseSplit, left_out: LeftOut | None, has_units: bool) -> None:
    """Fit the effects of units on free runs over the cases, and calibrate the band.

    The band must not rest on effects that have seen the cases it is calibrated on, so each of these is predicted with
    the effect that the other cases of its unit give.

    Args:
        surrogate: trained; changed in place.
        split: its validation cases choose, where nothing else is left out.
        left_out: free runs over cases by models that were fitted without them, which then choose.
        has_units: whether the cases' groups are units that may differ.
    """
    runs = left_out
    if has_units and any(case.unit is not None for case in (*split.training, *split.validation)):
        runs = left_out or LeftOut(split.validation, *surrogate.predict_spread(split.validation))
        fitted = _fitted(surrogate, split, runs, in_folds=left_out is not None)
        if fitted is not None:
            surrogate.units, runs = fitted.effects, with_effects(runs, fitted)
    if left_out is not None:
        add_band(surrogate, split, runs)
    else:
        add_band(surrogate, split, validation=runs)


def with_effects(left_out: LeftOut, fitted: FittedUnits) -> LeftOut:
    """The free runs with the effect of each case's unit; those of cases without a unit stay."""
    effects = fitted.without_case
    rows = dict(zip(effects.names, fitted.rows, strict=True))
    gain = dict(zip(effects.names, effects.gain, strict=True))
    return LeftOut(
        left_out.cases,
        [rows.get(case.name, own) for case, own in zip(left_out.cases, left_out.rows, strict=True)],
        [
            np.abs(1 + gain.get(case.name, np.zeros(1))) * spread
            for case, spread in zip(left_out.cases, left_out.spreads, strict=True)
        ],
        left_out.records,
    )


def _fitted(surrogate: Surrogate, split: CaseSplit, runs: LeftOut, *, in_folds: bool) -> FittedUnits | None:
    """Effects of units, if they gain something over cases left out."""
    training = [] if in_folds else spread_over([case for case in split.training if case.unit is not None], UNIT_CASES)
    return fit_units(surrogate, FreeRuns(runs.cases, runs.rows), FreeRuns(training, surrogate.predict(training)))
