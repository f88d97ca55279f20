"""Predictions of the test cases by the baselines of a run."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import plain_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.experiment.baseline_runs import baseline_predictions
from surrogate_modeling.training import baselines


def test_a_baseline_that_learns_nothing_is_a_function_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(cases: Sequence[Case], in_len: int) -> list[np.ndarray]:
        return [np.tile(case.outputs[:in_len].mean(axis=0), (len(case.time) - in_len, 1)) for case in cases]

    monkeypatch.setitem(baselines.UNFITTED, "mean", mean)
    case = plain_case("a", np.arange(4.0), np.arange(12, dtype=np.float32).reshape(4, 3), 1)
    surrogate: Any = SimpleNamespace(description=SimpleNamespace(in_len=2))
    predictions = {
        name: predict() for name, predict in baseline_predictions(surrogate, CaseSplit([], [], [case]), {}).items()
    }
    # The given rows of the two outputs are 1, 2 and 4, 5.
    assert {name: prediction.rows[0].tolist() for name, prediction in predictions.items()} == {
        "persistence": [[4.0, 5.0]] * 2,
        "mean": [[2.5, 3.5]] * 2,
    }
    assert {(prediction.fit_seconds, prediction.parameters) for prediction in predictions.values()} == {(0.0, 0)}
