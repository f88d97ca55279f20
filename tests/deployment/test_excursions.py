"""Where inputs leave the training range, by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.deployment.excursions import ExcursionTable, find_excursions
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.surrogate.training_range import Range

CHANNELS = Channels(("u",), ("p", "fixed"), ("p",), {"u": "K", "p": "bar", "fixed": "-"})


def training_range() -> Range:
    scaling = Standardizer(3)
    scaling.fit([np.array([[0, 1, 3], [10, 2, 3]], np.float32), np.array([[4, -2, 3]], np.float32)])
    return Range(CHANNELS, scaling.low.numpy(), scaling.high.numpy())


def test_the_range_is_that_of_all_training_rows() -> None:
    known = training_range()
    np.testing.assert_array_equal(known.low, [0, -2, 3])
    np.testing.assert_array_equal(known.high, [10, 2, 3])


def test_which_column_when_and_by_how_much() -> None:
    values = np.array([[0, 2, 3], [10, -3, 3], [12.5, 99, 99], [11, 99, 99], [-1, 99, 99]], np.float32)
    case = Case("a", np.array([5.0, 6, 7, 8, 9]), values, CHANNELS)
    predicted = np.array([[0, 3], [4, 3], [np.nan, 3.5]], np.float32)
    found = find_excursions(case, predicted, training_range(), 2)
    assert [(e.column, e.what, e.side, e.rows, e.first_time, e.last_time, e.worst_time) for e in found] == [
        ("u", "control", "below", 1, 9.0, 9.0, 9.0),
        ("u", "control", "above", 2, 7.0, 8.0, 7.0),
        ("p", "initial", "below", 1, 6.0, 6.0, 6.0),
        ("p", "predicted", "above", 1, 8.0, 8.0, 8.0),
        ("fixed", "predicted", "above", 1, 9.0, 9.0, 9.0),
    ]
    assert [e.excess for e in found] == [1, 2.5, 1, 2, 0.5]
    np.testing.assert_array_equal([e.excess_share for e in found], [0.1, 0.25, 0.25, 0.5, np.nan])
    assert str(found[1]) == (
        "a: control 'u' above its training range 0 to 10 K in 2 rows from 7 to 8 s, by up to 2.5 K (25 % of the range)"
    )
    assert str(found[4]) == (
        "a: predicted 'fixed' above 3 -, its value throughout the training cases, in 1 row at 9 s, by up to 0.5 -"
    )


def test_a_small_range_on_a_large_level_and_late_times_are_said_to_the_digit(tmp_path: Path) -> None:
    values = np.array([[10000000.83, 1e7, 1e7], [9999999.0, 1e7, 1e7]])
    case = Case("a", np.array([12345678.25, 12345679.0]), values, CHANNELS)
    known = Range(CHANNELS, np.array([9999999.25, 1e7, 1e7]), np.array([10000000.75, 1e7, 1e7]))
    below, above, constant = find_excursions(case, np.array([[1e7, 10000000.5]]), known, 1)
    assert str(below) == (
        "a: control 'u' below its training range 9999999.25 to 10000000.75 K in 1 row at 12345679 s, "
        "by up to 0.25 K (17 % of the range)"
    )
    assert str(constant).startswith("a: predicted 'fixed' above 10000000 -, its value throughout")
    with ExcursionTable(tmp_path / "range.csv") as table:
        table.add(above)
        table.add(constant)
    first, second = csv.DictReader((tmp_path / "range.csv").open())
    assert [first[key] for key in ("first_time", "worst", "low", "high")] == [
        "12345678.25", "10000000.83", "9999999.25", "10000000.75",
    ]  # fmt: skip
    assert [second[key] for key in ("worst", "low", "excess", "excess_share")] == ["10000000.5", "10000000", "0.5", ""]


def test_a_unit_may_be_missing() -> None:
    case = Case("a", np.arange(2.0), np.array([[25, 0, 3], [0, 0, 3]], np.float32), CHANNELS)
    (found,) = find_excursions(case, np.array([[0, 3]], np.float32), training_range(), 1)
    assert str(replace(found, unit="")).endswith(
        "its training range 0 to 10 in 1 row at 0 s, by up to 15 (1.5 times the width of the range)"
    )


def test_far_beyond_is_said_in_widths_of_the_range_and_never_as_infinite(tmp_path: Path) -> None:
    case = Case("a", np.arange(2.0), np.array([[25, 0, 4], [0, 0, 3]], np.float32), CHANNELS)
    found = find_excursions(case, np.zeros((1, 2), np.float32) + 3, training_range(), 1)
    assert str(found[0]).endswith("by up to 15 K (1.5 times the width of the range)")
    with ExcursionTable(tmp_path / "range.csv") as table:
        for excursion in found:
            table.add(excursion)
    assert "inf" not in (tmp_path / "range.csv").read_text()
    assert "nan" not in (tmp_path / "range.csv").read_text()


def test_inside_is_silent_up_to_the_bounds() -> None:
    case = Case("a", np.arange(3.0), np.array([[0, -2, 3], [10, 2, 3], [5, 0, 0]], np.float32), CHANNELS)
    assert find_excursions(case, np.array([[2, 3]], np.float32), training_range(), 2) == []


def test_rows_that_a_prediction_does_not_start_from_are_no_input() -> None:
    case = Case("a", np.arange(2.0), np.array([[5, 99, 3], [5, 0, 3]], np.float32), CHANNELS)
    predicted = np.array([[0, 3]], np.float32)
    assert [e.what for e in find_excursions(case, predicted, training_range(), 1)] == ["initial"]
    assert find_excursions(case, predicted, training_range(), 0) == []


def test_the_table_has_a_line_each_and_a_header_always(tmp_path: Path) -> None:
    case = Case("a", np.arange(2.0), np.array([[20, 0, 3], [0, 0, 3]], np.float32), CHANNELS)
    with ExcursionTable(tmp_path / "range.csv") as table:
        for excursion in find_excursions(case, np.zeros((1, 2), np.float32) + 3, training_range(), 1):
            table.add(excursion)
    rows = list(csv.DictReader((tmp_path / "range.csv").open()))
    assert table.count == len(rows) == 2
    assert table.input_cases == {"a"}
    assert table.cases == {"control": {"a"}, "initial": set(), "predicted": {"a"}}
    assert (rows[0]["column"], rows[0]["unit"], rows[0]["worst"], rows[0]["excess_share"]) == ("u", "K", "20", "1")
