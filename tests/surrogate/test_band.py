"""The band against values worked out by hand, and its coverage on cases of known distribution."""

import numpy as np
import pytest

from surrogate_modeling.evaluation.coverage import coverage
from surrogate_modeling.surrogate.band import Band, calibrate_band


def test_each_case_weighs_the_same_whatever_its_length() -> None:
    """Nine cases: each weighs 0.1, so the band must hold every row of all of them; a tenth frees the largest rows."""
    training = [np.ones((4, 1))]
    nine = [np.full((3, 1), float(i)) for i in range(1, 10)]
    spreads = [np.zeros((3, 1))] * 9
    band = calibrate_band(training, nine, spreads, np.ones(1))
    assert band is not None
    assert band.factor == pytest.approx([9.0])
    # 19 cases of 1/20 each: 18 of them reach 0.9. The one with 1000 rows counts no more than the others.
    many = [np.full((1000 if i == 19 else 2, 1), float(i)) for i in range(1, 20)]
    band = calibrate_band(training, many, [np.zeros_like(e) for e in many], np.ones(1))
    assert band is not None
    assert band.factor == pytest.approx([18.0])
    assert band.level == 0.9


def test_too_few_cases_promise_less() -> None:
    errors = [np.array([[1.0], [3.0]]), np.array([[2.0], [1.0]])]
    band = calibrate_band([np.ones((2, 1))], errors, [np.zeros((2, 1))] * 2, np.ones(1))
    assert band is not None
    assert band.factor == pytest.approx([3.0])
    assert band.level == pytest.approx(2 / 3)


def test_the_error_grows_as_on_training_cases_and_is_held_beyond_them() -> None:
    """Bins of rows 0 | 1 | 2..3 | 4..7: their means stand at rows 0, 1, 2.5 and 5.5."""
    rows = np.arange(8.0)[:, None]
    band = calibrate_band([rows, 3 * rows], [np.ones((8, 1))], [np.zeros((8, 1))], np.array([10.0]))
    assert band is not None
    np.testing.assert_allclose(band.knots, [0, 1, 2.5, 5.5])
    # The mean of row 0 is 0, so the floor stands there.
    np.testing.assert_allclose(band.error[:, 0], [1e-3, 2, 5, 11])
    np.testing.assert_allclose(band.growth(9)[[2, 4, 8], 0], [4.0, 8.0, 11.0])


def test_one_case_that_goes_wrong_does_not_set_the_growth() -> None:
    """Of errors 1, 2 and 900 the median counts."""
    training = [np.full((1, 1), error) for error in (1.0, 2.0, 900.0)]
    band = calibrate_band(training, [np.ones((1, 1))], [np.zeros((1, 1))], np.ones(1))
    assert band is not None
    assert band.error == pytest.approx(np.array([[2.0]]))


def test_spread_widens_the_band() -> None:
    """The factor is error / (spread + growth): 6 / (2 + 1)."""
    band = calibrate_band([np.ones((2, 1))], [np.full((2, 1), 6.0)], [np.full((2, 1), 2.0)], np.ones(1))
    assert band is not None
    assert band.factor == pytest.approx([2.0])


def test_nothing_to_calibrate_on_gives_no_band() -> None:
    good, bad = np.ones((2, 1)), np.array([[1.0], [np.nan]])
    assert calibrate_band([good], [], [], np.ones(1)) is None
    assert calibrate_band([good], [bad], [good], np.ones(1)) is None
    assert calibrate_band([bad], [good], [good], np.ones(1)) is None


def test_coverage_counts_rows() -> None:
    truth = np.array([[1.0], [2.0], [3.0], [4.0]])
    lower, upper = np.array([[1.0], [2.5], [np.nan], [3.0]]), np.array([[2.0], [9.0], [9.0], [4.0]])
    assert coverage(lower, upper, truth) == pytest.approx([0.5])


def test_new_cases_are_covered_as_promised() -> None:
    """Exchangeable cases whose rows hang together: mean coverage over many draws is at least 0.9, and not much more."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> list[np.ndarray]:
        size = np.exp(rng.normal(size=(count, 1, 1)))
        return list(size * np.abs(rng.normal(size=(count, 20, 1))) * np.linspace(0.1, 1, 20)[:, None])

    held = []
    for _ in range(300):
        errors = draw(20)
        band = calibrate_band(draw(20), errors, [np.zeros((20, 1))] * 20, np.ones(1))
        assert band is not None
        half = band.factor * band.growth(20)
        held.append(np.mean([coverage(-half, half, error) for error in draw(20)]))
    # The standard error of the mean is about 0.003.
    assert 0.89 < np.mean(held) < 0.96


def test_a_band_comes_back_from_its_dictionary() -> None:
    band = Band(np.array([0.0, 1.0]), np.ones((2, 3)), np.arange(3.0), 7)
    again = Band.from_dict(band.to_dict())
    np.testing.assert_array_equal(again.factor, band.factor)
    np.testing.assert_array_equal(again.growth(5), band.growth(5))
    assert again.cases == 7
