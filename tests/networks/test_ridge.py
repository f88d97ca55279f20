"""Ridge regression against least squares, and sums that add up."""

import numpy as np
import pytest
import torch

from surrogate_modeling.networks.ridge import Moments, ridge


def rows(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(3.0, [1.0, 5.0, 0.2], (count, 3)), rng.normal(size=(count, 2))


def moments(features: np.ndarray, outputs: np.ndarray) -> Moments:
    return Moments.of(torch.from_numpy(features), torch.from_numpy(outputs))


@pytest.mark.parametrize("used", [None, [2, 0]])
def test_ridge_is_least_squares_on_rows_that_stand_for_the_penalty(used: list[int] | None) -> None:
    features, outputs = rows()
    places = None if used is None else torch.tensor(used)
    solved, offset = ridge(moments(features, outputs), 0.1, places)
    chosen = features if used is None else features[:, used]
    centred, count = chosen - chosen.mean(axis=0), chosen.shape[1]
    extra = np.sqrt(0.1 * len(chosen)) * np.diag(chosen.std(axis=0))
    goals = np.vstack((outputs - outputs.mean(axis=0), np.zeros((count, 2))))
    expected = np.linalg.lstsq(np.vstack((centred, extra)), goals, rcond=None)[0]
    np.testing.assert_allclose(solved, expected, rtol=1e-8)
    np.testing.assert_allclose(offset, outputs.mean(axis=0) - chosen.mean(axis=0) @ expected, rtol=1e-8)


@pytest.mark.parametrize("rounding", [0.0, 1e-6])
def test_a_constant_feature_gets_no_weight(rounding: float) -> None:
    features, outputs = rows()
    features[:, 1] = 7.0 + rounding * np.random.default_rng(1).normal(size=len(features))
    weights, offset = ridge(moments(features, outputs), 1e-3)
    assert weights[1].tolist() == [0.0, 0.0]
    assert weights.isfinite().all()
    assert offset.isfinite().all()


def test_sums_of_parts_add_up_and_are_taken_out_again() -> None:
    features, outputs = rows()
    whole, first, rest = (moments(features[part], outputs[part]) for part in np.s_[:, :7, 7:])
    for made, expected in ((first + rest, whole), (whole - first, rest)):
        assert made.rows == expected.rows
        for name in ("features", "outputs", "gram", "cross"):
            np.testing.assert_allclose(getattr(made, name), getattr(expected, name), rtol=1e-9)


def test_rounding_that_outweighs_the_penalty_is_solved_all_the_same() -> None:
    """A covariance of 1 and 2 has the eigenvalue -1, and the inverse of -1/3 and 2/3."""
    zeros = torch.zeros(2).double()
    known = Moments(1, zeros, zeros[:1], torch.tensor([[1.0, 2.0], [2.0, 1.0]]).double(), torch.eye(2).double()[:, :1])
    weights, offset = ridge(known, 0.0)
    np.testing.assert_allclose(weights[:, 0], [-1 / 3, 2 / 3])
    assert offset.tolist() == [0.0]
