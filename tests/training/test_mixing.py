"""Weights of a mixture against a linear programme, and the shrinkage against cases worked out by hand."""

import numpy as np
import pytest
from scipy.optimize import linprog

from surrogate_modeling.training.mixing import (
    MIN_WEIGHT,
    Residuals,
    choose_shrinkage,
    learn_weights,
    least_error_weights,
    shrunk,
)


def residuals(values: np.ndarray, folds: int = 1) -> Residuals:
    """Of one column, members (M, R), every row the same weight."""
    rows = values.shape[1]
    return Residuals(values[:, :, None], np.full(rows, 1.0 / rows), np.arange(rows) * folds // rows)


def test_rows_are_relative_and_every_case_counts_the_same() -> None:
    """Errors of 2 in a case of 4 rows and of 0 in one of 12: the mean ADE is 1, in units of the spread 0.5."""
    truth = [np.full((4, 1), 7.0), np.full((12, 1), 1e6)]
    made = Residuals.of([[truth[0] + 1.0, truth[1]]], truth, [0, 1], np.array([0.5]))
    assert made.errors == pytest.approx(np.array([[1.0]]))
    assert made.fold.tolist() == [0] * 4 + [1] * 12
    assert made.where(made.fold == 0).errors == pytest.approx(np.array([[2.0]]))


def test_opposite_errors_cancel() -> None:
    """One member 1 above, the other 4 below: four fifths and one fifth."""
    weight = least_error_weights(residuals(np.stack((np.full(10, 1.0), np.full(10, -4.0)))))
    np.testing.assert_allclose(weight[:, 0], [0.8, 0.2], atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_least_absolute_error_as_a_linear_programme_finds_it(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(4, 60)) * [[1.0], [0.7], [1.5], [0.8]] + [
        [0.3],
        [-0.2],
        [0],
        [0.5],
    ]
    rows = values.shape[1]
    # min sum t over w >= 0, sum w = 1, -t <= w r <= t.
    cost = np.concatenate((np.zeros(4), np.full(rows, 1.0 / rows)))
    above = np.concatenate((values.T, -np.eye(rows)), axis=1)
    below = np.concatenate((-values.T, -np.eye(rows)), axis=1)
    equal = np.concatenate((np.ones(4), np.zeros(rows)))[None]
    best = linprog(cost, np.concatenate((above, below)), np.zeros(2 * rows), equal, [1.0]).fun
    given = residuals(values)
    weight = least_error_weights(given)
    assert weight.min() >= 0.0
    assert weight.sum() == pytest.approx(1.0)
    assert given.error_of(weight)[0] == pytest.approx(best, rel=0.02)


def test_a_member_that_is_best_everywhere_stands_alone() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 200))
    weight = learn_weights(residuals(np.concatenate((noise, 3.0 * noise, noise + 5.0)), folds=4))
    np.testing.assert_allclose(weight[:, 0], [1.0, 0.0, 0.0])


def test_shrinkage_moves_towards_the_best_single_member() -> None:
    weight, errors = np.array([[0.2, 0.6], [0.8, 0.4]]), np.array([[1.0, 3.0], [2.0, 1.0]])
    np.testing.assert_allclose(shrunk(weight, errors, 0.5), [[0.6, 0.3], [0.4, 0.7]])


def test_weights_that_hold_in_every_part_are_not_shrunk_and_those_of_chance_are() -> None:
    rng = np.random.default_rng(1)
    lasting = np.stack((np.full(400, 1.0), np.full(400, -1.0)))
    assert choose_shrinkage(residuals(lasting, folds=4)) == 0.0
    # In every part another member errs by chance; the first is better than their mean.
    chance = np.stack((np.full(400, 0.1), np.repeat(rng.permutation([9.0, -9.0, 9.0, -9.0]), 100)))
    assert choose_shrinkage(residuals(chance, folds=4)) > 0.0
    assert choose_shrinkage(residuals(lasting)) == 1.0


def test_small_weights_are_dropped() -> None:
    """The least error is at weights 0.99 and 0.01, and the member of 0.01 is not worth its time."""
    weight = learn_weights(residuals(np.stack((np.full(40, 1.0), np.full(40, -99.0))), folds=4))
    assert MIN_WEIGHT > 0.01
    np.testing.assert_allclose(weight[:, 0], [1.0, 0.0])
