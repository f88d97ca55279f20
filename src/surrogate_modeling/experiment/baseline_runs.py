"""What stands beside the network in a run: the baselines, fitted on the same split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import FilterRidge, LinearBaseline, QuadraticBaseline, persistence


@dataclass(frozen=True)
class Prediction:
    """Test cases predicted, (H, P) per case, and what it cost: seconds in all for fitting and for predicting."""

    rows: list[np.ndarray]
    fit_seconds: float
    seconds: float
    parameters: int


class FittedBaseline(NamedTuple):
    """A baseline, and the seconds its fit took, that of what it rests on included."""

    baseline: FilterRidge
    seconds: float


def fit_baselines(surrogate: Surrogate, split: CaseSplit) -> dict[str, FittedBaseline]:
    """The linear and the quadratic baseline, fitted on the same split."""
    description, scaling = surrogate.description, surrogate.scaling
    sizes = description.in_len, description.sizes.controls
    given = split.training, split.validation, description.channels.target_indices
    started = time.perf_counter()
    linear = LinearBaseline(scaling, *sizes).fit(*given)
    seconds = time.perf_counter() - started
    quadratic = QuadraticBaseline(scaling, *sizes).fit(*given, linear)
    return {
        "linear": FittedBaseline(linear, seconds),
        "quadratic": FittedBaseline(quadratic, time.perf_counter() - started),
    }


def predict_baselines(
    surrogate: Surrogate, split: CaseSplit, regressions: dict[str, FittedBaseline]
) -> Iterator[tuple[str, Prediction]]:
    """Persistence and the fitted baselines over the test cases, one after another: all at once may not fit."""
    description = surrogate.description
    started = time.perf_counter()
    held = persistence(split.test, description.in_len)
    yield "persistence", Prediction(held, 0.0, time.perf_counter() - started, 0)
    for name, (baseline, seconds) in regressions.items():
        started = time.perf_counter()
        rows = baseline.predict(split.test)
        yield name, Prediction(rows, seconds, time.perf_counter() - started, baseline.parameters)
