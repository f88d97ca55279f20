"""Fit and time the baselines of a run, on the same split as the network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.progress import track
from surrogate_modeling.networks.filter_network import MAX_LEVEL_COLUMNS
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import MULTIPLIED, UNFITTED, Baseline, fit_linear, fit_quadratic
from surrogate_modeling.training.folds import Folds
from surrogate_modeling.training.regression_rows import MAX_SELECTION_TARGETS, BaselineData

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """Predictions of the test cases, (H, P) per case, and their cost: total seconds of fitting and of prediction."""

    rows: list[np.ndarray]
    fit_seconds: float
    seconds: float
    parameters: int


class FittedBaseline(NamedTuple):
    """A fitted baseline and the seconds of its fit, including the fit of the baseline that it extends."""

    baseline: Baseline
    seconds: float


def fit_baselines(
    surrogate: Surrogate, split: CaseSplit, progress_bar: bool, folds: Folds | None = None
) -> dict[str, FittedBaseline]:
    """Fit the linear and the quadratic baseline on the same split.

    Args:
        surrogate: for its columns and its scaling.
        split: training cases, and validation cases that select its hyperparameters.
        progress_bar: draw a bar on a terminal.
        folds: of the training cases, which select them where there are no validation cases.
    """
    description = surrogate.description
    columns, targets = len(description.channels.predicted), description.channels.target_indices
    if columns > MAX_LEVEL_COLUMNS:
        log.info(
            "more than %d predicted columns: in the baselines each sees its own level at the start only",
            MAX_LEVEL_COLUMNS,
        )
    if len(targets) > MAX_SELECTION_TARGETS:
        log.info("of %d targets, %d choose the time constants of the baselines", len(targets), MAX_SELECTION_TARGETS)
    given = split.training, split.validation, targets
    data = BaselineData(*given, surrogate.scaling, description.in_len, tick=lambda: next(ticks, None))
    cases = sum(len(data.used(part)) for part in given[:2])
    if data.case_stride > 1:
        log.info("the baselines are fitted on one case in %d: that is many rows enough", data.case_stride)
    steps = cases * (1 + len(MULTIPLIED))
    ticks = track(range(steps), steps, "fitting the baselines", progress_bar)
    if folds is not None:
        data = replace(data, folds=folds.parts, stretches=folds.stretches)
    started = time.perf_counter()
    linear = fit_linear(data)
    seconds = time.perf_counter() - started
    quadratic = fit_quadratic(data, linear)
    ticks.close()
    return {
        "linear": FittedBaseline(linear, seconds),
        "quadratic": FittedBaseline(quadratic, time.perf_counter() - started),
    }


def baseline_predictions(
    surrogate: Surrogate, split: CaseSplit, regressions: dict[str, FittedBaseline]
) -> dict[str, Callable[[], Prediction]]:
    """Functions that predict the test cases with the baselines, those that learn nothing first.

    Called one after another, each prediction is gone before the next is made: they take as much memory as the test
    cases.
    """
    in_len = surrogate.description.in_len

    def timed(predict: Callable[[], list[np.ndarray]], fit_seconds: float, parameters: int) -> Prediction:
        started = time.perf_counter()
        rows = predict()
        return Prediction(rows, fit_seconds, time.perf_counter() - started, parameters)

    predictions: dict[str, Callable[[], Prediction]] = {
        name: partial(timed, partial(predict, split.test, in_len), 0.0, 0) for name, predict in UNFITTED.items()
    }
    for name, (baseline, seconds) in regressions.items():
        predictions[name] = partial(timed, partial(baseline.predict, split.test), seconds, baseline.parameters)
    return predictions
