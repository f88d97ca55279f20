"""Time columns in every notation, in seconds."""

import numpy as np
import pandas as pd
import pytest

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.time_axis import Clock, find_time, time_unit_of


def seconds(*cells: object, unit: str = "s", form: str | None = None) -> tuple[list[float], str]:
    clock = Clock(("t",), unit, form, "a.csv")
    frame = pd.DataFrame({"t": list(cells)}, dtype=object if isinstance(cells[0], str) else None)
    return clock.seconds(frame, np.arange(2, 2 + len(cells)), "line").tolist(), clock.start


@pytest.mark.parametrize(
    ("cells", "expected", "start"),
    [
        (["2024-01-31 23:59:59", "2024-02-01 00:00:00.5"], [0, 1.5], "2024-01-31T23:59:59"),
        (["2024-01-31T23:59:59Z", "2024-02-01T00:00:01Z"], [0, 2], "2024-01-31T23:59:59"),
        (["2024-01-31T23:59:59+09:00", "2024-02-01T00:00:01+09:00"], [0, 2], "2024-01-31T14:59:59"),
        (["2024/01/31 10:00", "2024/01/31 10:01"], [0, 60], "2024-01-31T10:00:00"),
        (["31.01.2024 10:00:00,25", "31.01.2024 10:00:00,75"], [0, 0.5], "2024-01-31T10:00:00.250000"),
        (["1/31/2024 1:00:00 PM", "1/31/2024 1:00:01 PM"], [0, 1], "2024-01-31T13:00:00"),
        (["31/01/2024", "01/02/2024"], [0, 86400], "2024-01-31T00:00:00"),
        (["31-Jan-2024 10:00:00", "31-Jan-2024 10:00:02"], [0, 2], "2024-01-31T10:00:00"),
        (["2024年01月31日 10:00:00", "2024年01月31日 10:00:03"], [0, 3], "2024-01-31T10:00:00"),
        (["2025年3月1日 9時00分00秒", "2025年3月1日 9時00分02秒"], [0, 2], "2025-03-01T09:00:00"),
        (["2025年3月1日9時59分", "2025年3月1日10時5分"], [0, 360], "2025-03-01T09:59:00"),
        (["2025/3/1 午前11:59:59", "2025/3/1 午後0:00:01"], [0, 2], "2025-03-01T11:59:59"),
        (["2025年3月1日 午後1時02分03.25秒", "2025年3月1日 午後1時02分04秒"], [0, 0.75], "2025-03-01T13:02:03.250000"),
        (["２０２５年３月１日　９：００：００", "２０２５年３月１日　９：００：０１"], [0, 1], "2025-03-01T09:00:00"),
        (["9時00分30秒", "9時01分00秒"], [0, 30], "9:00:30"),
        (["10:00:00.5", "10:00:02"], [0, 1.5], "10:00:00.5"),
        (["23:59:59", "00:00:01", "12:00:00"], [0, 2, 43201], "23:59:59"),
        (["10:00", "10:01"], [0, 60], "10:00"),
        (["11:59:59 AM", "12:00:00 PM", "1:00:01 pm"], [0, 1, 3602], "11:59:59 AM"),
        (["11:59:59 PM", "12:00:01 AM"], [0, 2], "11:59:59 PM"),
        (["10:00:00", "-", "", "10:00:02"], [0, np.nan, np.nan, 2], "10:00:00"),
    ],
)
def test_dates_and_times_of_day_count_from_the_first_row(cells: list[str], expected: list[float], start: str) -> None:
    found, began = seconds(*cells)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert began == start


@pytest.mark.parametrize(
    ("unit", "cells", "expected"),
    [
        ("s", [3.0, 4.5], [3, 4.5]),
        ("ms", [0.0, 123.0], [0, 0.123]),
        ("µs", [0.0, 7.0], [0, 7e-6]),
        ("min", [0.5, 1.0], [30, 60]),
        ("h", [1.0, 2.0], [3600, 7200]),
        ("d", [0.0, 1.0], [0, 86400]),
        # Seconds since 1970: 2024-01-01.
        ("s", [1704067200.0, 1704067201.5], [0, 1.5]),
    ],
)
def test_numbers_in_any_unit(unit: str, cells: list[float], expected: list[float]) -> None:
    found, start = seconds(*cells, unit=unit)
    assert found == expected
    assert start == ("2024-01-01T00:00:00" if cells[0] > 1e9 else "")


def test_a_second_block_goes_on_where_the_first_ended() -> None:
    clock = Clock(("t",), "s", None, "a.csv")
    for cells, expected in ((["23:00:00", "23:30:00"], [0, 1800]), (["00:00:00"], [3600])):
        assert clock.seconds(pd.DataFrame({"t": cells}), np.arange(len(cells)), "line").tolist() == expected


def test_a_date_without_its_time_of_day_is_no_midnight() -> None:
    frame = pd.DataFrame({"d": ["2024-05-01"] * 3, "c": ["10:00:00", "", "10:00:02"]})
    found = Clock(("d", "c"), "s", None, "a.csv").seconds(frame, np.arange(3), "line")
    np.testing.assert_array_equal(found, [0, np.nan, 2])


def test_a_cell_that_is_no_time_is_named() -> None:
    with pytest.raises(BadFile, match=r"a.csv: line 3, column 't': 'noon' is no time as in the other rows"):
        seconds("10:00:00", "noon", "10:00:01", form=None)
    with pytest.raises(BadFile, match=r"a.csv: line 3, column 't': '13:00:00 PM' is no time as in the other rows"):
        seconds("12:59:59 PM", "13:00:00 PM")
    with pytest.raises(BadFile, match=r"column 't': 'bar' cannot be converted to 's'.*; give time_unit"):
        seconds(1.0, 2.0, unit="bar")


def test_the_time_column_is_found_by_name_then_by_its_values() -> None:
    frame = pd.DataFrame({"x": [5.0, 4.0, 6.0], "Zeit": [0.0, 0.0, 1.0], "n": [0.0, 1.0, 2.0]})
    assert find_time(frame, list(frame)) == ("Zeit",)
    assert find_time(frame.rename(columns={"Zeit": "a"}), ["x", "a", "n"]) == ("a",)
    assert find_time(frame[["x"]], ["x"]) is None
    # A temperature before the time.
    assert find_time(frame.rename(columns={"x": "T", "Zeit": "time"}), ["T", "time", "n"]) == ("time",)
    assert find_time(frame.rename(columns={"Zeit": "t"}), ["x", "t", "n"]) == ("t",)
    dated = pd.DataFrame({"y": [1.0, 2.0], "Datum": ["1.1.2024"] * 2, "Uhrzeit": ["10:00:00", "10:00:01"]})
    assert find_time(dated, list(dated)) == ("Datum", "Uhrzeit")
    stamped = pd.DataFrame({"y": [1.0, 2.0], "when": ["2024-01-01 10:00:00", "2024-01-01 10:00:01"]})
    assert find_time(stamped, list(stamped)) == ("when",)


def test_the_unit_of_time_may_stand_in_its_name() -> None:
    assert [time_unit_of(name, None) for name in ("time_ms", "t", "time_min")] == [
        ("ms", True),
        ("s", True),
        ("min", True),
    ]
    assert time_unit_of("time_ms", "h") == ("h", False)
    assert time_unit_of("ｔｉｍｅ＿ｍｓ", None) == ("ms", True)


def test_days_of_excel_are_known_by_their_size_and_by_a_name_of_dates() -> None:
    days = np.array([45717.375, 45717.37501157])
    assert time_unit_of("日時", None, days) == time_unit_of("Date", None, days) == ("d", True)
    assert time_unit_of("日時", "s", days) == ("s", False)
    # Seconds of a day, or of a run.
    assert time_unit_of("time", None, days) == time_unit_of("日時", None, days / 1e4) == ("s", True)
    found, start = seconds(*days.tolist(), unit="d")
    # 1157e-8 of 86400 s.
    np.testing.assert_allclose(found, [0, 0.999648], atol=1e-9)
    assert start == "2025-03-01T09:00:00"
    # Days from 1970.
    assert seconds(20148.375, 20149.375, unit="d") == ([0, 86400], "2025-03-01T09:00:00")
