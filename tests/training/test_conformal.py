"""Bands against factors worked out by hand, and their coverage of new cases of known distribution."""

import math

import numpy as np
import pytest

from surrogate_modeling.surrogate.band import BandScope
from surrogate_modeling.training.conformal import Residuals, calibrate_band


def quiet(errors: list[np.ndarray]) -> Residuals:
    """Errors of a single network, which has no spread."""
    return Residuals(errors, [np.zeros_like(error) for error in errors], [np.arange(len(error)) for error in errors])


def test_each_case_weighs_the_same_whatever_its_length() -> None:
    """Nine cases: each weighs 0.1, so the band must hold every row of all of them; a tenth frees the largest rows."""
    training = quiet([np.ones((4, 1))])
    nine = quiet([np.full((3, 1), float(i)) for i in range(1, 10)])
    band = calibrate_band(training, nine, np.ones(1), [0])
    assert band is not None
    assert band.factor == pytest.approx([9.0])
    # It is the band of whole trajectories, which holds them too.
    np.testing.assert_array_equal(band.error, band.peak)
    np.testing.assert_array_equal(band.factor, band.trajectory_factor)
    # 19 cases of 1/20 each: 18 of them reach 0.9. The one with 1000 rows counts no more than the others.
    many = quiet([np.full((1000 if i == 19 else 2, 1), float(i)) for i in range(1, 20)])
    band = calibrate_band(training, many, np.ones(1), [0])
    assert band is not None
    assert band.factor == pytest.approx([18.0])
    # The rank of a whole trajectory is ceil(0.9 x 20) = 18 as well.
    assert band.trajectory_factor == pytest.approx([18.0])
    assert band.level == 0.9


def test_too_few_cases_promise_less() -> None:
    errors = quiet([np.array([[1.0], [3.0]]), np.array([[2.0], [1.0]])])
    band = calibrate_band(quiet([np.ones((2, 1))]), errors, np.ones(1), [0])
    assert band is not None
    for scope in BandScope:
        assert band.factors(scope) == pytest.approx([3.0])
    assert band.level == pytest.approx(2 / 3)


def test_a_trajectory_counts_by_its_worst_row_and_all_targets_by_the_worst_of_them() -> None:
    """Errors of 1, 2 and 4 in training at every row, so scales 1, 2 and 4; the last column is no target.

    Case i of 10 has the worst row i in the first column and 4 (11 - i) in the second: over the scales i and
    2 (11 - i), of which the larger ones are 20, 18, ..., 8 for i up to 7, then 8, 9, 10. Rank 10 of each is the largest.
    """
    training = quiet([np.tile([1.0, 2.0, 4.0], (5, 1))] * 3)
    errors = []
    for i in range(1, 11):
        rows = np.full((5, 3), 0.5)
        rows[i % 5] = [i, 4 * (11 - i), 100 * i]
        errors.append(rows)
    band = calibrate_band(training, quiet(errors), np.ones(3), [0, 1])
    assert band is not None
    np.testing.assert_allclose(band.trajectory_factor * band.peak[0], [10, 40, 1000])
    np.testing.assert_allclose(band.all_factor * band.peak[0], [20, 40, 1000])


def test_the_error_grows_as_on_training_cases_and_is_held_beyond_them() -> None:
    """Bins of rows 0 | 1 | 2..3 | 4..7: their means stand at rows 0, 1, 2.5 and 5.5."""
    rows = np.arange(8.0)[:, None]
    band = calibrate_band(quiet([rows, 3 * rows]), quiet([np.ones((8, 1))] * 10), np.array([10.0]), [0])
    assert band is not None
    np.testing.assert_allclose(band.knots, [0, 1, 2.5, 5.5])
    # The mean of row 0 is 0, so the floor stands there.
    np.testing.assert_allclose(band.error[:, 0], [1e-3, 2, 5, 11])
    np.testing.assert_allclose(band.growth(9)[[2, 4, 8], 0], [4.0, 8.0, 11.0])


@pytest.mark.parametrize(("growing", "flatness"), [(True, 0.0), (False, 1.0)])
def test_the_shape_of_whole_trajectories_is_the_narrowest(growing: bool, flatness: float) -> None:
    """Errors that grow with the row ask for g(t); of random peaks anywhere, the band of one width is the narrowest."""
    rng = np.random.default_rng(0)
    rows = np.arange(1.0, 65.0)[:, None]
    training = [np.ones((64, 1)) + 0.01 * rows for _ in range(20)]
    if growing:
        training = [rows * rng.uniform(0.9, 1.1) for _ in range(20)]
    else:
        for case in training:
            case[rng.integers(64, size=20)] = 3.0
    band = calibrate_band(quiet(training), quiet(training), np.ones(1), [0])
    assert band is not None
    level = band.growth(64).mean(axis=0)
    np.testing.assert_allclose(band.peak, (1 - flatness) * band.error + flatness * level)


def test_one_case_that_goes_wrong_does_not_set_the_growth() -> None:
    """Of errors 1, 2 and 900 the median counts."""
    training = quiet([np.full((1, 1), error) for error in (1.0, 2.0, 900.0)])
    band = calibrate_band(training, quiet([np.ones((1, 1))]), np.ones(1), [0])
    assert band is not None
    assert band.error == pytest.approx(np.array([[2.0]]))


def test_spread_widens_the_band() -> None:
    """The factor is error / (spread + growth): 6 / (2 + 1)."""
    errors = Residuals([np.full((2, 1), 6.0)], [np.full((2, 1), 2.0)], [np.arange(2)])
    band = calibrate_band(quiet([np.ones((2, 1))]), errors, np.ones(1), [0])
    assert band is not None
    assert band.factor == pytest.approx([2.0])
    assert band.trajectory_factor == pytest.approx([2.0])


def test_growth_lies_where_the_rows_of_a_case_lie() -> None:
    """Rows 0 to 3 and 12 to 15 of a run of 16: bins of rows 0, 1, 2 to 3, 4 to 7 (none), 8 to 15."""
    errors = np.array([1.0, 2, 3, 5, 10, 20, 30, 40])[:, None]
    known = Residuals([errors], [np.zeros_like(errors)], [np.array([0, 1, 2, 3, 12, 13, 14, 15])])
    band = calibrate_band(known, known, np.ones(1), [0])
    assert band is not None
    assert band.knots.tolist() == [0, 1, 2.5, 11.5]
    # One case: its largest |error| over the growth held beyond the last knot, or moved to the mean of the growth.
    half = band.half_width(16, 0.0, BandScope.row)[:, 0]
    assert (half[[0, 1, 2, 3, 12, 13, 14, 15]] >= errors[:, 0] - 1e-9).all()
    assert half.max() < 81


def test_nothing_to_calibrate_on_gives_no_band() -> None:
    good, bad, none = quiet([np.ones((2, 1))]), quiet([np.array([[1.0], [np.nan]])]), quiet([])
    for shaping, calibrating in ((good, none), (good, bad), (bad, good), (bad, None), (none, None), (none, good)):
        assert calibrate_band(shaping, calibrating, np.ones(1), [0]) is None


def test_cases_that_give_shape_and_factors_are_scored_by_the_others() -> None:
    """Two cases with errors 1 and 3: each over the shape of the other, so 1/3 and 3; the shape of both is 2."""
    band = calibrate_band(quiet([np.full((3, 1), 1.0), np.full((3, 1), 3.0)]), None, np.ones(1), [0])
    assert band is not None
    np.testing.assert_allclose(band.error, 2.0)
    for scope in (BandScope.row, BandScope.trajectory):
        assert band.factors(scope) == pytest.approx([3.0])
    # The scale of their peaks over 2 is the quantile 0.9 of 0.5 and 1.5.
    assert band.all_factor == pytest.approx([3 * 1.4])


ROWS, COLUMNS, TARGETS, LEVELS = 20, 5, [0, 1, 2], {5: 5 / 6, 15: 15 / 16, 19: 18 / 20}


def draw(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Exchangeable cases: rows and columns of one hang together, and each has a size of its own."""
    noise = rng.normal(size=(count, ROWS, COLUMNS))
    size = np.exp(0.6 * rng.normal(size=(count, 1, COLUMNS)) + 0.5 * rng.normal(size=(count, 1, 1)))
    return list(size * np.abs(0.3 * np.cumsum(noise, axis=1) + noise) * np.linspace(0.1, 1, ROWS)[:, None])


@pytest.mark.parametrize(
    ("cases", "own_shape"),
    [
        *((cases, False) for cases in LEVELS),
        pytest.param(5, True),
        *(pytest.param(cases, True, marks=pytest.mark.slow) for cases in (15, 19)),
    ],
)
def test_new_cases_are_covered_as_promised(cases: int, own_shape: bool) -> None:
    """Each of 300 draws of bands meets one new case: whether it lies inside is counted here by its rows alone.

    With n cases and rank k of their scores, a new one lies inside with probability k / (n + 1) (`LEVELS`): the count is
    binomial. Cases that give their own shape are promised no more than the level, and reach it.
    """
    rng = np.random.default_rng(cases)
    draws = 300
    inside = dict.fromkeys(BandScope, 0.0)
    for _ in range(draws):
        shaping, calibrating = quiet(draw(rng, cases if own_shape else 25)), quiet(draw(rng, cases))
        band = calibrate_band(shaping, None if own_shape else calibrating, np.ones(COLUMNS), TARGETS)
        assert band is not None
        (new,) = draw(rng, 1)
        held = {}
        for scope in BandScope:
            banded = band.bounds(np.zeros((ROWS, COLUMNS)), scope=scope)
            held[scope] = (banded.lower <= new) & (new <= banded.upper)
        inside[BandScope.row] += held[BandScope.row].mean()
        inside[BandScope.trajectory] += held[BandScope.trajectory].all(axis=0).mean()
        inside[BandScope.all] += held[BandScope.all][:, TARGETS].all()
    exact = LEVELS[cases]
    deviation = math.sqrt(draws * exact * (1 - exact))
    promised = draws * band.level
    for scope in (BandScope.trajectory, BandScope.all):
        assert inside[scope] > promised - 2.5 * deviation
        if not own_shape:
            # The columns of a case hang together, so the mean over them spreads at most as one of them.
            assert abs(inside[scope] - draws * exact) < 3 * deviation
    assert inside[BandScope.row] > promised - 2.5 * deviation
