"""Numbers of things, and the first of a long list."""

from surrogate_modeling.common.wording import column_title, counted, lines_and_rest, names_and_rest, unit_per, with_unit

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
