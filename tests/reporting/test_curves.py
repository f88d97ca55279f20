"""Curves of a report: their limits and what comes back of them."""

import numpy as np

from surrogate_modeling.pages.embedding import unpack16
from surrogate_modeling.reporting.curves import pack_curves


def test_small_moves_on_a_large_level_come_back() -> None:
    """By hand: to half of 1/65534 of a range of 2; nine digits would give limits of 1e9 and 1e9."""
    curve = 1e9 + np.array([-1.0, -0.5, 0.25, 1.0])
    content, text = pack_curves(np.arange(4.0), curve[None], 100)
    assert (content["low"], content["high"]) == ([1e9 - 1], [1e9 + 1])
    back = unpack16(text, np.array(content["low"]), np.array(content["high"]))
    np.testing.assert_allclose(back[0] - 1e9, [-1.0, -0.5, 0.25, 1.0], rtol=0, atol=1.6e-5)


def test_limits_are_short_where_digits_do_not_show() -> None:
    """A third and two thirds to nine digits; a missing curve is of 0, a constant one of its value."""
    curves = np.array([[1 / 3, 2 / 3], [np.nan, np.nan], [1e9 + 1 / 4, 1e9 + 1 / 4]])
    content, _ = pack_curves(np.arange(2.0), curves, 100)
    assert content["low"] == [0.333333333, 0.0, 1e9 + 1 / 4]
    assert content["high"] == [0.666666667, 0.0, 1e9 + 1 / 4]
