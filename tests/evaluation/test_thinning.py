"""Thinned curves against what must not be lost: every spike, every gap, the ends."""

import numpy as np

from surrogate_modeling.evaluation.thinning import PIECES, thin_band, thin_curve, thin_mean, thin_table

ROWS = 100_000


def test_a_short_curve_is_left_alone() -> None:
    time, values = np.arange(500.0), np.sin(np.arange(500.0))
    assert thin_curve(time, values)[1] is values
    assert thin_band(time, values, values)[1] is values
    assert thin_mean(values) is values


def test_every_spike_of_one_row_stays_at_its_time() -> None:
    rng = np.random.default_rng(0)
    values = np.zeros(ROWS)
    at = np.sort(rng.choice(ROWS, 50, replace=False))
    values[at] = rng.choice([-1.0, 1.0], 50) * rng.uniform(1, 2, 50)
    time, thinned = thin_curve(np.arange(float(ROWS)), values)
    assert len(thinned) == 2 * PIECES
    assert (np.diff(time) >= 0).all()
    assert set(at[np.abs(values[at]) > 0]) - set(time[thinned != 0].astype(int)) <= {
        # Two spikes of one sign in one piece: the larger one is seen.
        i for i in at if np.sum(at * PIECES // ROWS == i * PIECES // ROWS) > 1
    }  # fmt: skip
    np.testing.assert_array_equal(thinned, values[time.astype(int)])


def test_a_gap_stays_a_gap() -> None:
    values = np.ones(ROWS)
    values[: ROWS // 2] = np.nan
    _, thinned = thin_curve(np.arange(float(ROWS)), values)
    assert np.isnan(thinned[:PIECES]).all()
    assert (thinned[PIECES:] == 1).all()


def test_the_thinned_band_holds_the_band() -> None:
    rng = np.random.default_rng(1)
    lower = rng.normal(size=ROWS)
    upper = lower + rng.uniform(0, 1, ROWS)
    time, low, high = thin_band(np.arange(float(ROWS)), lower, upper)
    piece = np.arange(ROWS) * PIECES // ROWS
    assert len(time) == len(low) == len(high) == PIECES
    assert (low[piece] <= lower).all()
    assert (high[piece] >= upper).all()
    assert low.min() == lower.min()
    assert high.max() == upper.max()


def test_the_mean_of_each_piece() -> None:
    values = np.arange(float(10 * PIECES))
    np.testing.assert_allclose(thin_mean(values), 10 * np.arange(PIECES) + 4.5)


def test_a_table_of_curves_keeps_the_extremes_of_each_piece_in_their_order() -> None:
    rising, falling = np.arange(8.0), np.arange(8.0)[::-1]
    spike = np.zeros(8)
    spike[5] = 9.0
    missing = np.array([np.nan, np.nan, 1.0, np.nan, 4.0, 3.0, np.nan, 5.0])
    thinned = thin_table(np.stack((rising, falling, spike, missing)), 2)
    assert thinned[:3].tolist() == [[0, 3, 4, 7], [7, 4, 3, 0], [0, 0, 0, 9]]
    np.testing.assert_array_equal(thinned[3], [1, 1, 3, 5])
