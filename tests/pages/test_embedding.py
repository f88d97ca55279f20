"""Values in a page: no text ends its script element, and packed curves come back."""

import json
import math

import numpy as np
from numpy.testing import assert_allclose

from surrogate_modeling.pages.embedding import json_text, pack16, unpack16

HOSTILE = ["</script><script>alert(1)</script>", "<!--", "a'b\"c\\", "&amp;", "\u2028\u2029", "\u202edrow", "圧力"]


def test_json_of_hostile_texts_cannot_end_its_element_and_reads_as_it_was() -> None:
    text = json_text({name: name for name in HOSTILE})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {name: name for name in HOSTILE}


def test_numbers_that_are_not_finite_are_null() -> None:
    assert json.loads(json_text({"a": [math.inf, math.nan, 1.5, {"b": -math.inf}]})) == {
        "a": [None, None, 1.5, {"b": None}]
    }


def test_packed_curves_come_back_to_a_part_of_their_range() -> None:
    random = np.random.default_rng(0)
    curves = random.normal(size=(3, 500)).cumsum(axis=1) * np.array([[1.0], [1e-6], [1e5]])
    low, high = curves.min(axis=1), curves.max(axis=1)
    curves[1, 7] = np.nan
    curves[2, 9] = np.inf
    back = unpack16(pack16(curves, low, high), low, high)
    for curve, again, span in zip(curves, back, high - low, strict=True):
        known = np.isfinite(curve)
        assert np.isnan(again[~known]).all()
        assert_allclose(again[known], curve[known], atol=0.51 * span / 65534)


def test_a_constant_curve_and_values_beyond_the_range() -> None:
    curves = np.array([[2.0, 2.0, 2.0], [-5.0, 0.5, 9.0]])
    low, high = np.array([2.0, 0.0]), np.array([2.0, 1.0])
    back = unpack16(pack16(curves, low, high), low, high)
    assert_allclose(back, [[2.0, 2.0, 2.0], [0.0, 0.5, 1.0]], atol=1e-5)
