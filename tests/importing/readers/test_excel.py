"""Excel workbooks, written by pandas and openpyxl: where names, units and numbers are found, and what is refused."""

import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.excel import read_excel, refuse_old


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def one(path: Path, **options: object) -> RawTable:
    (table,) = read_excel(path, ReadOptions(**options))  # type: ignore[arg-type]
    return table


ROWS: list[list[object]] = [[0, 1.5, 20], [1, 2.5, 21], [2, 3.5, 22]]


def test_a_table_of_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": [0.0, 0.5, 1.0], "p": [1, 2, 3], "on": [True, False, True], "mode": ["a", "b", "a"]})
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    table = one(tmp_path / "a.xlsx")
    assert list(table.frame) == ["time", "p", "on", "mode"]
    assert table.frame["p"].tolist() == [1.0, 2.0, 3.0]
    assert table.frame["on"].tolist() == [1.0, 0.0, 1.0]
    assert table.frame["mode"].tolist() == ["a", "b", "a"]
    assert (table.time, table.lines, table.part, table.units) == ("time", 2, "", {})


def test_preamble_names_units(tmp_path: Path) -> None:
    preamble: list[list[object]] = [["Test bench 3"], ["operator", "M."], []]
    path = workbook(tmp_path / "a.xlsx", {"run": [*preamble, ["t", "p in", "T"], ["s", "bar", "degC"], *ROWS]})
    table = one(path)
    assert table.frame["p in"].tolist() == [1.5, 2.5, 3.5]
    assert table.units == {"t": "s", "p in": "bar", "T": "degC"}
    assert table.lines == 6


def test_a_preamble_line_above_the_names_is_no_line_of_names(tmp_path: Path) -> None:
    table = one(workbook(tmp_path / "a.xlsx", {"run": [["Test bench 3"], ["t", "p in", "T"], *ROWS]}))
    assert (list(table.frame), table.units, table.lines) == (["t", "p in", "T"], {}, 3)


def test_a_line_of_a_word_and_a_number_above_the_names_is_no_row(tmp_path: Path) -> None:
    preamble: list[list[object]] = [["Sample rate [Hz]", 10], ["Channels", 3], ["operator", "M."]]
    names, units = ["t", "p in", "T"], ["s", "bar", "degC"]
    table = one(workbook(tmp_path / "a.xlsx", {"run": [*preamble, names, units, *ROWS]}))
    assert (list(table.frame), table.lines, table.frame["t"].tolist()) == (names, 6, [0.0, 1.0, 2.0])
    narrow = one(workbook(tmp_path / "b.xlsx", {"run": [preamble[0], names[:2], *[row[:2] for row in ROWS]]}))
    assert (list(narrow.frame), narrow.lines) == (names[:2], 3)


@pytest.mark.parametrize(
    "rows",
    [
        [[0, "off"], [1, "on"], [2, None], [3, "on"]],
        [[0, "off"], [1, 2], [2, 3], [3, 4]],
        [["off", 0], ["on", 1], ["on", 2], [None, 3]],
    ],
)
def test_as_many_texts_as_numbers_are_a_row(tmp_path: Path, rows: list[list[object]]) -> None:
    table = one(workbook(tmp_path / "a.xlsx", {"run": [["t", "mode"], *rows]}))
    assert (list(table.frame), table.lines, len(table.frame)) == (["t", "mode"], 2, 4)


def test_given_lines(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"run": [["s", "bar", "degC"], ["t", "p", "T"], *ROWS]})
    table = one(path, header_row=2, unit_row=1)
    assert (list(table.frame), table.units) == (["t", "p", "T"], {"t": "s", "p": "bar", "T": "degC"})
    bare = one(workbook(tmp_path / "b.xlsx", {"run": ROWS}))
    assert list(bare.frame) == ["column A", "column B", "column C"]
    assert len(bare.frame) == 3


def test_sheets_are_tables(tmp_path: Path) -> None:
    head: list[object] = ["t", "p", "T"]
    path = workbook(tmp_path / "a.xlsx", {"hot": [head, *ROWS], "notes": [], "cold": [head, *ROWS[:2]]})
    tables = read_excel(path, ReadOptions())
    assert [(table.part, len(table.frame)) for table in tables] == [("hot", 3), ("cold", 2)]
    assert tables[0].remarks == ("sheet 'notes' is empty and was left out",)
    assert tables[1].source == f"{path} [cold]"
    assert len(one(path, parts=("cold",)).frame) == 2
    with pytest.raises(BadFile, match=r"parts: 'warm' not among the sheets: 'hot', 'notes', 'cold'"):
        read_excel(path, ReadOptions(parts=("warm",)))


def test_dates_times_gaps_and_errors(tmp_path: Path) -> None:
    start = datetime.datetime(2024, 5, 1, 12)
    rows: list[list[object]] = [
        ["date", "clock", "p", None, "q"],
        [start, datetime.time(0, 0, 1), 1, None, 7],
        [start + datetime.timedelta(seconds=1), datetime.time(0, 1, 0), None, None, "#DIV/0!"],
    ]
    table = one(workbook(tmp_path / "a.xlsx", {"run": rows}))
    assert table.frame["date"].tolist() == ["2024-05-01 12:00:00", "2024-05-01 12:00:01"]
    assert table.frame["clock"].tolist() == ["00:00:01", "00:01:00"]
    assert table.units == {}
    assert list(table.frame) == ["date", "clock", "p", "q"]  # an empty column without a name is none
    assert np.isnan(table.frame["p"][1])
    assert np.isnan(table.frame["q"][1])
    assert table.remarks == ("cells E3 hold an error of a formula: taken as empty",)


def test_lengths_of_time_are_seconds_and_a_clock_beside_a_date_is_not_the_time_alone(tmp_path: Path) -> None:
    day, clock, length = datetime.datetime(2024, 5, 1), datetime.time(10, 0), datetime.timedelta(hours=30)
    rows: list[list[object]] = [["Date", "Time", "run"], [day, clock, length], [day, clock, length]]
    table = one(workbook(tmp_path / "a.xlsx", {"run": rows}))
    assert (table.time, table.units) == (None, {"run": "s"})
    assert table.frame["run"].tolist() == [108000.0, 108000.0]
    alone = one(workbook(tmp_path / "b.xlsx", {"run": [row[1:] for row in rows]}))
    assert alone.time == "Time"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["t", "p", "p"], *ROWS], r"a\.xlsx \[run\]: several columns have the name 'p'"),
        ([["only text", "here"]], r"a\.xlsx \[run\]: no row of numbers"),
        ([["t", "p"], [0, "=A2+1"], [1, "=A3+1"]], r"a\.xlsx \[run\]: columns 'p' hold formulas without results"),
        ([], r"a\.xlsx: every sheet is empty"),
    ],
)
def test_refusals(tmp_path: Path, rows: list[list[object]], message: str) -> None:
    path = workbook(tmp_path / "a.xlsx", {"run": rows})
    with pytest.raises(BadFile, match=message):
        read_excel(path, ReadOptions())


def test_what_is_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"time,p\n0,1\n")
    with pytest.raises(BadFile, match=r"a\.xlsx: no Excel workbook that can be read .*save it again as \.xlsx"):
        read_excel(tmp_path / "a.xlsx", ReadOptions())
    with pytest.raises(BadFile, match=r"a\.xls: \.xls workbooks are not read; save it as \.xlsx or as CSV"):
        refuse_old(tmp_path / "a.xls", ReadOptions())
    path = workbook(tmp_path / "b.xlsx", {"run": [["t", "p", "T"], *ROWS]})
    with pytest.raises(BadFile, match=r"header_row=9: the sheet has 4 rows"):
        read_excel(path, ReadOptions(header_row=9))


def test_sheets_without_numbers_are_left_out_and_said(tmp_path: Path) -> None:
    about = [["made by", "bench 3"]]
    path = workbook(tmp_path / "a.xlsx", {"about": about, "run": [["t", "p", "T"], *ROWS]})
    table = one(path)
    assert table.remarks == ("sheet 'about' has no row of numbers and was left out",)
    with pytest.raises(BadFile, match=r"a\.xlsx \[about\]: no row of numbers"):
        read_excel(path, ReadOptions(parts=("about",)))
