"""Dates of every form, block by block; which columns hold them is in test_time_axis.py."""

import re

import numpy as np
import pandas as pd
import pytest

from surrogate_modeling.importing.dates import Dates
from surrogate_modeling.importing.raw_table import BadFile

FORMS = "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"


def block(dates: Dates, *cells: str | None, line: int = 2) -> list[str]:
    """The dates of some cells as text, from a line on."""
    lines = np.arange(line, line + len(cells))
    return dates.read(pd.Series(cells, dtype=object), (lines, "line")).astype(str).tolist()


def dates(form: str | None = None) -> Dates:
    return Dates("t", form, "a.csv")


def test_dates_that_can_be_read_in_two_ways_are_refused_unless_it_makes_no_difference() -> None:
    with pytest.raises(BadFile, match=r"'01/02/2024' can be read as %d/%m/%Y or %m/%d/%Y; give date_format"):
        block(dates(), "01/02/2024", "01/03/2024")
    assert block(dates("%m/%d/%Y"), "01/02/2024", "01/03/2024") == ["2024-01-02", "2024-01-03"]
    found = dates()
    assert block(found, "01/02/2024 10:00:00", "01/02/2024 10:00:01") == ["2024-02-01 10:00:00", "2024-02-01 10:00:01"]
    assert found.remarks == [
        f"dates such as '01/02/2024 10:00:00' are read as {FORMS[0]}; date_format=... says otherwise"
    ]


@pytest.mark.parametrize(
    ("late", "readings"),
    [
        ("05/05/2024 00:00:00", f"can be read as {FORMS[0]} or {FORMS[1]}"),
        ("05/13/2024 00:00:00", f"is {FORMS[1]}, and no {FORMS[0]} as the dates before may be"),
    ],
)
def test_dates_are_refused_where_two_readings_begin_to_differ(late: str, readings: str) -> None:
    found = dates()
    block(found, "05/04/2024 23:59:00", None, "05/04/2024 23:59:30")
    with pytest.raises(
        BadFile, match=re.escape(f"a.csv: line 6, column 't': '{late}' {readings}; give date_format=...")
    ):
        block(found, "05/04/2024 23:59:59", late, line=5)
    # Behind the rows that decide about the format, in the same block.
    with pytest.raises(BadFile, match=re.escape(f"line 3002, column 't': '{late}' {readings}")):
        block(dates(), *["05/04/2024 23:59:59"] * 3000, late)


def test_of_two_formats_the_one_that_reads_every_date_is_taken() -> None:
    found = dates()
    assert block(found, "12/05/2024 23:59:59") == ["2024-05-12 23:59:59"]
    # No month has the number 13; from then on the dates can be read in one way.
    assert block(found, "13/05/2024 00:00:01") == ["2024-05-13 00:00:01"]
    assert block(found, "12/06/2024 23:59:59") == ["2024-06-12 23:59:59"]


@pytest.mark.parametrize(
    ("form", "cells", "found"),
    [
        # The end of summer time: one second passes.
        (
            "%d.%m.%Y %H:%M:%S %z",
            ["27.10.2024 02:59:59 +0200", "27.10.2024 02:00:00 +0100"],
            ["2024-10-27 00:59:59", "2024-10-27 01:00:00"],
        ),
        ("%d.%m.%YT%H:%M:%S", ["27.10.2024T02:59:59"], ["2024-10-27 02:59:59"]),
        ("%Y,%m,%d %H:%M:%S,%f", ["2024,10,27 02:59:59,5"], ["2024-10-27 02:59:59.500"]),
        ("%d-%b-%Y %I:%M %p", ["27-Oct-2024 2:59 PM"], ["2024-10-27 14:59:00"]),
    ],
)
def test_dates_of_a_given_form(form: str, cells: list[str], found: list[str]) -> None:
    assert block(dates(form), *cells) == found


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("%d.%m.%Q", r"'Q' is a bad directive in format '%d.%m.%Q'"),
        ("%d.%d.%Y", "a directive stands in it twice"),
        ("%d.%m.%", r"stray % in format '%d.%m.%'"),
    ],
)
def test_a_form_that_is_none_is_refused(form: str, reason: str) -> None:
    with pytest.raises(BadFile, match=rf"^a.csv: date_format={form}: {reason}; e.g. '%d.%m.%Y %H:%M:%S'$"):
        block(dates(form), "27.10.2024")
