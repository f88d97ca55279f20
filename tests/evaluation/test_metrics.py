"""Errors by hand."""

import numpy as np
import pytest

from surrogate_modeling.evaluation.metrics import ade, fde, skill

TRUTH = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]], np.float32)


def test_by_hand() -> None:
    predicted = TRUTH + np.array([[0.5, 0], [-1.0, 0], [3.0, -8.0]], np.float32)
    assert ade(predicted, TRUTH).tolist() == [1.5, pytest.approx(8 / 3)]
    assert fde(predicted, TRUTH).tolist() == [3.0, 8.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_infinitely_wrong_never_nan(value: float) -> None:
    predicted = TRUTH.copy()
    predicted[1, 0] = value
    assert ade(predicted, TRUTH).tolist() == [np.inf, 0.0]
    assert fde(predicted, TRUTH).tolist() == [0.0, 0.0]


def test_differences_are_taken_in_double_precision() -> None:
    predicted = np.array([[3e38], [3e38]], np.float32)
    assert ade(predicted, -predicted)[0] == pytest.approx(6e38)


def test_skill() -> None:
    assert skill(1.0, 4.0) == 0.75
    assert skill(4.0, 4.0) == 0.0
    assert skill(8.0, 4.0) == -1.0
    assert skill(0.0, 0.0) == 0.0
    assert skill(1.0, 0.0) == -np.inf
    assert skill(np.inf, 4.0) == -np.inf
