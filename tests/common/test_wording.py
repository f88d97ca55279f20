"""Numbers of things, and the first of a long list."""

import math

import pytest

from surrogate_modeling.common.wording import (
    as_typed,
    column_title,
    counted,
    level_text,
    lines_and_rest,
    names_and_rest,
    unit_per,
    with_unit,
)

LETTERS = ["a", "b", "c", "d", "e"]


def test_one_thing_is_no_plural() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_lines_beyond_the_first_are_counted() -> None:
    assert lines_and_rest(LETTERS, 2) == ["a", "b", "and 3 more"]
    assert lines_and_rest(LETTERS, 4, "more in look.csv") == ["a", "b", "c", "d", "and 1 more in look.csv"]


def test_names_beyond_the_first_are_counted() -> None:
    assert names_and_rest(LETTERS, 2) == "a, b and 3 more"
    assert names_and_rest(LETTERS, 4, "more units") == "a, b, c, d and 1 more units"


def test_a_list_that_is_not_longer_is_whole() -> None:
    assert lines_and_rest(LETTERS, 5) == lines_and_rest(LETTERS, None) == LETTERS
    assert names_and_rest(LETTERS, 5) == "a, b, c, d, e"
    assert (lines_and_rest([], 5), names_and_rest([], 5)) == ([], "")


def test_units_may_be_missing() -> None:
    assert (with_unit("3.2", "bar"), with_unit("3.2", "")) == ("3.2 bar", "3.2")
    assert [unit_per(*units) for units in (("bar", "K"), ("bar", ""), ("", "K"), ("", ""))] == [
        "bar per K", "bar", "1 per K", "",
    ]  # fmt: skip
    assert (column_title("p", "bar"), column_title("p", "")) == ("p [bar]", "p")


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (9999999.83, 1.0, "9999999.83"),
        # A thousandth of the spread: 2 places behind the point here, 1 there.
        (-101325.678, 30.0, "-101325.68"),
        (101325.678, 300.0, "101325.7"),
        (9999999.83, 1e7, "1e+07"),
        (16.87912, 4.0, "16.879"),
        (0.0, 1.0, "0"),
        (16.87912, 0.0, "16.879"),
        (math.nan, 1.0, "nan"),
        (-math.inf, 1.0, "-inf"),
        (1e7 + 1 / 3, 1e-12, "10000000.3333333"),
    ],
)
def test_a_value_on_a_large_level_keeps_what_varies(value: float, spread: float, text: str) -> None:
    assert level_text(value, spread) == text


def test_a_number_of_the_user_is_said_as_it_was_typed() -> None:
    assert [as_typed(value) for value in (9999999.83, 18.0, 0.1, -1e6)] == ["9999999.83", "18", "0.1", "-1000000"]
