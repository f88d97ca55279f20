"""Text as numbers."""

import numpy as np
import pytest

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.text_columns import TextMap, text_map, texts_of, to_columns


def test_words_for_on_and_off_in_any_language_are_one_and_zero() -> None:
    for texts in (["ON", "OFF"], ["True", "false"], ["Ein"], ["閉", "開"], ["yes", "NO"]):
        assert sorted(text_map("m", texts, None, "a.csv").codes.values()) == [0, 1]
    assert text_map("m", ["ON"], None, "a.csv").codes == {"off": 0, "on": 1}


def test_two_modes_share_a_column_and_more_have_one_each() -> None:
    assert text_map("m", ["heat", "cool"], None, "a.csv") == TextMap("m", {"heat": 0, "cool": 1})
    many = text_map("m", ["heat", "cool", "off"], None, "a.csv")
    assert many.names == ("m=heat", "m=cool", "m=off")
    cells = np.array(["cool", None, "Heat ", ""], dtype=object)
    np.testing.assert_array_equal(
        to_columns(cells, many, np.arange(4), "a.csv"), [[0, 1, 0], [np.nan] * 3, [1, 0, 0], [np.nan] * 3]
    )


def test_given_maps_hold() -> None:
    assert text_map("m", ["a"], {"a": 3, 1: 4}, "a.csv").codes == {"a": 3.0, "1": 4.0}
    assert text_map("m", ["a"], ["b", "a"], "a.csv").modes == ("b", "a")
    given = TextMap("m", {"1": 5.0, "x": 6.0})
    assert to_columns(np.array([1.0, "x", 1], dtype=object), given, np.arange(3), "a").tolist() == [[5], [6], [5]]


def test_several_texts_may_be_one_mode() -> None:
    plan = text_map("m", ["a"], {"P": "P", "D1": "drive", "D2": "drive"}, "a.csv")
    assert plan.names == ("m=P", "m=drive")
    # A mode is also known by its own name.
    cells = np.array(["d2", "P", "D1", "drive", None], dtype=object)
    np.testing.assert_array_equal(
        to_columns(cells, plan, np.arange(5), "a"), [[0, 1], [1, 0], [0, 1], [0, 1], [np.nan] * 2]
    )
    assert plan.key == {"P": "P", "drive": "drive", "D1": "drive", "D2": "drive"}
    assert TextMap("m", {}, ("a", "b")).key == ["a", "b"]
    assert TextMap("m", {"a": 1.0}).key == {"a": 1.0}


def test_an_unknown_text_is_named_with_its_line() -> None:
    said = r"none of the texts 'P', 'R'; 'text=\{g: \{D4: <one of these>\}\}' takes it for one of these modes"
    with pytest.raises(BadFile, match=said):
        to_columns(np.array(["D4"], dtype=object), TextMap("g", {}, ("P", "R")), np.array([7]), "a.csv")
    said = r"a.csv: lines 8-9, column 'm': 'c' is none of the texts 'a', 'b'; 'text=\{m: \{c: <number>\}\}' gives its"
    with pytest.raises(BadFile, match=said):
        to_columns(
            np.array(["a", "c", "c"], dtype=object), TextMap("m", {"a": 0, "b": 1}), np.array([7, 8, 9]), "a.csv"
        )
    with pytest.raises(BadFile, match=r"column 'm': 21 different texts \(such as '0', '1'\) are no modes"):
        text_map("m", [str(i) for i in range(21)], None, "a.csv")


def test_different_texts_in_the_order_of_their_rows() -> None:
    assert texts_of(["b", "a ", None, "b", float("nan"), "n/a", True]) == ["b", "a", "True"]
