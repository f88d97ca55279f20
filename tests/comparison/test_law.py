"""The law of a learning curve: values by hand, and intervals on curves whose law is known."""

import math

import numpy as np
import pytest

from surrogate_modeling.comparison.law import Law, fit_law, quantiles

CASES = (6, 12, 30, 60)


def curve(share: float, exponent: float, cases: float | np.ndarray) -> np.ndarray:
    """Error 1 with 60 cases."""
    return share + (1 - share) * (np.asarray(cases) / 60) ** -exponent


def one(level: float, share: float, exponent: float) -> Law:
    return Law(100, *(np.array([value]) for value in (level, share, exponent)), (level, share, exponent))


def test_numbers_of_a_law_by_hand() -> None:
    law = one(0.03, 0.5, 1.0)
    assert law.floor == pytest.approx([0.015])
    # 0.015 + 0.015 / 2
    assert law.errors(200) == pytest.approx([0.0225])
    assert law.cases_for(0.0225) == pytest.approx([200])
    assert law.cases_for(0.045) == pytest.approx([50])
    assert math.isinf(law.cases_for(0.015)[0])
    assert math.isinf(law.cases_for(0.01)[0])
    assert one(1.0, 0.0, 0.5).cases_for(0.5) == pytest.approx([400])


def test_an_interval_may_end_nowhere() -> None:
    assert quantiles(np.array([1.0] * 50 + [math.inf] * 50))[2] == math.inf
    assert quantiles(np.arange(101.0)) == (5.0, 50.0, 95.0)


@pytest.mark.parametrize(("share", "exponent"), [(0.0, 0.5), (0.3, 1.0), (0.7, 1.5)])
def test_a_curve_without_scatter_gives_its_law_back(share: float, exponent: float) -> None:
    law = fit_law(CASES, 0.2 * np.stack([curve(share, exponent, CASES)] * 2), pool=1000)
    assert law.best == pytest.approx((0.2, share, exponent), abs=0.02)
    for cases in (120, 200):
        truth = 0.2 * curve(share, exponent, cases)
        assert quantiles(law.errors(cases)) == pytest.approx([truth] * 3, rel=0.02)


def test_an_offset_of_each_seed_is_no_scatter() -> None:
    offsets = np.array([[0.5], [1.0], [2.0]])
    law = fit_law(CASES, offsets * curve(0.3, 1.0, CASES), pool=1000)
    assert quantiles(law.errors(120)) == pytest.approx([float(curve(0.3, 1.0, 120))] * 3, rel=0.02)


def test_errors_that_do_not_fall_promise_nothing() -> None:
    law = fit_law(CASES, np.array([[0.1, 0.11, 0.1, 0.12], [0.12, 0.1, 0.11, 0.11]]), pool=100)
    assert quantiles(law.cases_for(0.05))[0] > 10 * 60
    rising = fit_law(CASES, np.array([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]]), pool=100)
    assert np.isfinite(rising.errors(120)).all()


def held(truths: list[tuple[float, float]], curves: int) -> np.ndarray:
    """Share of the curves whose 90 % intervals hold the truth: the error with twice and with 3.3 times the cases, and
    the cases that a fifth less takes."""
    rng = np.random.default_rng(1)
    hits = np.zeros(3)
    for share, exponent in truths:
        for _ in range(curves):
            law = fit_law(CASES, curve(share, exponent, CASES) * np.exp(0.08 * rng.normal(size=(3, 4))), pool=1000)
            needed = 60 * ((0.8 - share) / (1 - share)) ** (-1 / exponent) if share < 0.8 else math.inf
            wanted = [float(curve(share, exponent, cases)) for cases in (120, 200)] + [needed]
            intervals = [quantiles(values) for values in (law.errors(120), law.errors(200), law.cases_for(0.8))]
            hits += [low <= truth <= high for (low, _, high), truth in zip(intervals, wanted, strict=True)]
    return hits / (len(truths) * curves)


def test_intervals_hold_the_truth() -> None:
    # Of 24 curves at 90 %, 18 (75 %) or fewer hold with a chance of 2 %.
    assert (held([(0.05, 1.0), (0.2, 0.6), (0.5, 0.6), (0.5, 1.5)], 6) > 0.75).all()


@pytest.mark.slow
def test_intervals_hold_the_truth_whatever_the_law() -> None:
    found = held([(share, exponent) for share in (0.0, 0.05, 0.2, 0.5, 0.8) for exponent in (0.3, 0.6, 1.0, 1.5)], 60)
    assert (found >= 0.83).all()
    assert (found <= 0.97).all()


def regression_errors(rng: np.random.Generator, cases: tuple[int, ...], seeds: int) -> np.ndarray:
    """Errors of least squares in five unknowns by the number of rows, each seed in another order of the same rows."""
    truth, inputs = np.ones(5), rng.normal(size=(cases[-1], 5))
    outputs = inputs @ truth + 0.7 * rng.normal(size=cases[-1])
    rows = []
    for _ in range(seeds):
        order = rng.permutation(cases[-1])
        fits = [np.linalg.lstsq(inputs[order[:n]], outputs[order[:n]])[0] for n in cases]
        rows.append([math.hypot(0.2, *(fit - truth)) for fit in fits])
    return np.array(rows) * np.exp(0.03 * rng.normal(size=(seeds, len(cases))))


@pytest.mark.slow
def test_what_seeds_have_in_common_is_not_taken_for_knowledge() -> None:
    """With all rows the seeds differ by chance alone: their mean has the luck of these rows."""
    rng, cases, farther = np.random.default_rng(2), (10, 20, 50, 100), (200, 333)
    truth = [np.exp(np.log([regression_errors(rng, (n,), 1)[0, 0] for _ in range(2000)]).mean()) for n in farther]
    hits, blind = np.zeros(2), np.zeros(2)
    for _ in range(60):
        errors = regression_errors(rng, cases, 3)
        for counted, pool in ((hits, 100), (blind, 100_000)):
            law = fit_law(cases, errors, pool)
            ends = [quantiles(law.errors(n)) for n in farther]
            counted += [low <= value <= high for (low, _, high), value in zip(ends, truth, strict=True)]
    assert (hits / 60 >= 0.83).all()
    assert (blind < hits).all()


def test_errors_that_fall_faster_than_any_law_are_no_flat_ones() -> None:
    """From 0.3 over 0.15 to 0.08; the steepest law, an exponent of 4, has 0.064 at 50 (0.08 / 0.064)^(1/4) = 52.9."""
    means = np.array([0.30, 0.15, 0.08])
    law = fit_law((40, 45, 50), means * (1 + 0.005 * np.array([[1, -1, 1], [-1, 1, -1], [1, 1, -1]])), pool=100)
    assert 50 < quantiles(law.cases_for(0.064))[1] < 60
