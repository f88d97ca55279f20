"""The band of each scope against half-widths worked out by hand."""

import numpy as np
import pytest
import torch
from builders import make_band

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.surrogate.band import Band, BandScope, scope_of


def band() -> Band:
    """Errors 1 and 3 at rows 0 and 4; those of whole trajectories 3 and 1."""
    return make_band([0, 4], [[1], [3]], [2])


@pytest.mark.parametrize(
    ("scope", "factor", "growth"),
    [
        (BandScope.row, 2, [1, 1.5, 2, 2.5, 3, 3]),
        (BandScope.trajectory, 6, [3, 2.5, 2, 1.5, 1, 1]),
        (BandScope.all, 30, [3, 2.5, 2, 1.5, 1, 1]),
    ],
)
def test_half_widths_are_the_factor_times_spread_and_growth(
    scope: BandScope, factor: float, growth: list[float]
) -> None:
    mean = 10 * np.ones((2, 6, 1), np.float32)
    spread = np.array([0.0, 0.5], np.float32)[:, None, None] * np.ones_like(mean)
    expected = factor * (np.array(growth)[:, None] + spread)
    arrays = band().bounds(mean, spread, scope)
    tensors = band().bounds(torch.tensor(mean), torch.tensor(spread), scope)
    for found in (arrays, as_arrays(tensors)):
        np.testing.assert_allclose(found[0] - found[1], expected, rtol=1e-6)
        np.testing.assert_allclose(found[2] - found[0], expected, rtol=1e-6)
    assert arrays.upper.dtype == np.float32
    # A single network has no spread.
    np.testing.assert_allclose(band().bounds(mean[1], scope=scope).upper[:, 0], 10 + factor * np.array(growth))


def as_arrays(tensors: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    return [rows.numpy() for rows in tensors]


def test_a_band_comes_back_from_its_dictionary() -> None:
    made = Band(np.array([0.0, 1.0]), np.ones((2, 3)), np.arange(3.0), np.eye(2, 3), np.ones(3), np.zeros(3), 7, False)
    again = Band.from_dict(made.to_dict())
    for scope in BandScope:
        np.testing.assert_array_equal(again.factors(scope), made.factors(scope))
        np.testing.assert_array_equal(again.growth(5, scope), made.growth(5, scope))
    assert (again.cases, again.of_copies) == (7, False)


def test_few_cases_promise_less() -> None:
    assert band().level == 0.9
    values = np.ones((1, 1))
    assert Band(np.zeros(1), values, values[0], values, values[0], values[0], 4).level == pytest.approx(0.8)


def test_a_scope_that_there_is_not_is_refused() -> None:
    assert scope_of("all") is BandScope.all
    with pytest.raises(UserError, match="band=whole: must be one of row, trajectory, all"):
        scope_of("whole")


def test_cases_without_spread_share_the_half_width_of_their_length() -> None:
    spreads = [np.zeros((5, 1), np.float32), np.zeros((5, 1), np.float32), np.zeros((3, 1)), np.ones((5, 1))]
    halves = band().half_widths(spreads, BandScope.trajectory)
    assert halves[0] is halves[1]
    assert [half.dtype for half in halves] == [np.dtype(np.float32)] * 4
    for half, spread in zip(halves, spreads, strict=True):
        expected = band().bounds(np.zeros_like(spread, np.float64), spread, BandScope.trajectory).upper
        np.testing.assert_allclose(half, expected, rtol=1e-6)
