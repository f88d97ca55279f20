"""One file: what is read, and what is said about what cannot be read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from surrogate_modeling.cases.case_file import CaseFileError, RawCase, parse_case
from surrogate_modeling.cases.problems import line_ranges

FILE = Path("bad.csv")
PLAIN = "time,a,b\ns,-,K\n0,1.5,-2e3\n1,0.0015,300\n2,.5,7.\n"
TABLE = [[0, 1.5, -2000.0], [1, 0.0015, 300.0], [2, 0.5, 7.0]]


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(CaseFileError) as caught:
        parse_case(FILE, text.encode() if isinstance(text, str) else text)
    return [str(problem) for problem in caught.value.problems]


def table(case: RawCase) -> list[list[float]]:
    return np.column_stack((case.time, case.values)).tolist()


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.encode() + b"\n\r\n  \n",
        PLAIN.encode().rstrip(),
        PLAIN.replace("1.5", "+1.5").encode(),
        PLAIN.replace("0.0015", "+1.5e-03").encode(),
        PLAIN.replace("0.0015", "1.5E-3").encode(),
        PLAIN.replace("0,1.5,", '"0", 1.5 ,').encode(),
        PLAIN.replace("0,1.5,", '0,"+1.5",').encode(),
        PLAIN.replace("a,b", '"a","b"').encode(),
        PLAIN.replace("s,-", "[S],-").encode(),
        PLAIN.replace("s,-", "秒,-").encode(),
    ],
    ids=[
        "plain",
        "BOM",
        "CRLF",
        "CR",
        "trailing-blank",
        "no-final-newline",
        "plus",
        "plus-exponent",
        "E",
        "spaces",
        "quoted-plus",
        "quotes",
        "[S]",
        "秒",
    ],
)
def test_ways_to_write_the_same(body: bytes) -> None:
    case = parse_case(FILE, body)
    assert (case.names, case.units) == (("a", "b"), ("-", "K"))
    assert table(case) == TABLE


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", ["a, b", "圧力", "T.out/in", "..", 'the "best"', "x" * 300, "= 1", "#"])
def test_names_are_kept_as_written(name: str, end: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    case = parse_case(FILE, end.join([f"time,{quoted},z", f"s,{quoted},K", "0,1,2", "1,2,3"]).encode())
    assert case.names == (name, "z")
    assert case.units == (name, "K")


@given(
    st.integers(2, 40).flatmap(
        lambda rows: st.lists(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
            min_size=rows,
            max_size=rows,
        )
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_every_float64_is_read_back_exactly(rows: list[list[float]], end: str, slow: bool) -> None:
    """``slow`` writes one plus sign, which the fast reader refuses: both roads must give the same numbers."""
    cells = [[repr(float(i)), *map(repr, row)] for i, row in enumerate(rows)]
    if slow:
        cells[0][0] = "+0"
    case = parse_case(FILE, end.join(["time,a,b", "s,-,-", *(",".join(row) for row in cells)]).encode())
    assert case.values.tolist() == rows


def test_all_problems_of_one_file_are_listed() -> None:
    text = "time,a,a,\ns,-,-\n0,1,x,1\n1,nan,2,3\n1,2,,3\n3,1\n2,5,6,7\n"
    assert problems(text) == [
        "bad.csv: line 1, column 3: the name 'a' is already that of column 2",
        "bad.csv: line 1, column 4: the name is empty",
        "bad.csv: line 2: 3 units for 4 columns",
        "bad.csv: line 6: 2 cells, 4 expected",
        "bad.csv: line 4, column 2 ('a'): 'nan' is no number",
        "bad.csv: line 5, column 3 ('a'): empty cell",
        "bad.csv: line 3, column 3 ('a'): text 'x' where a number is expected",
        "bad.csv: line 5, column 1 ('time'): time does not increase (first from 1 to 1 s)",
    ]


def test_time_is_checked_beside_bad_cells() -> None:
    """Rows that are not readable do not hide that the time of others goes back, nor shift the line numbers."""
    text = "time,a\ns,-\n0,1\n1,x\n2\nlate,3\n1.5,4\n3,5\n3,6\n"
    assert "bad.csv: lines 7, 9, column 1 ('time'): time does not increase (first from 1 to 1.5 s)" not in problems(
        text
    )
    assert "bad.csv: line 9, column 1 ('time'): time does not increase (first from 3 to 3 s)" in problems(text)


def test_texts_of_one_column_are_one_problem() -> None:
    """A column of dates is one problem, not one for every row."""
    rows = [f"2024-01-01 00:{i // 60:02}:{i % 60:02},{i}" for i in range(500)]
    found = problems("\n".join(["time,a", "s,-", *rows]))
    assert found == [
        "bad.csv: lines 3-502, column 1 ('time'): text '2024-01-01 00:00:00' (and 499 more) where a number is expected"
    ]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """A line end within quotes is a line end too; so is the bare carriage return of old Macs."""
    assert problems('time,a\ns,-\n0,"1\n"\n1,x\n')[-1].startswith("bad.csv: line 5, column 2 ('a'): text 'x'")
    assert problems("time,a\rs,-\r0,1\r1,x\r")[-1].startswith("bad.csv: line 4, column 2 ('a'): text 'x'")
    assert problems(b"time,a\rs,-\r0,1\r1," + "圧".encode("cp932"))[0].startswith(
        "bad.csv: line 4, column 2: not UTF-8; it looks like Shift-JIS"
    )


def test_a_quoted_number_that_spans_lines_does_not_shift_the_time_problem() -> None:
    found = problems('time,a\ns,-\n0,"1\n"\n1,2\n1,3\n')
    assert found[-1].startswith("bad.csv: line 6, column 1 ('time'): time does not increase")


@pytest.mark.parametrize("line", [1, 2, 3])
def test_an_endless_cell_is_refused(line: int) -> None:
    """The csv module of Python stops at 131072 characters by an exception of its own."""
    lines = ["time,a", "s,-", "0,1", "1,2"]
    lines[line - 1] = lines[line - 1][:-1] + "x" * 200_000
    text = "\n".join(lines)
    if line < 3:
        try:
            parse_case(FILE, text.encode())
        except CaseFileError as error:
            assert f"line {line}" in str(error)
    else:
        assert "line 3" in problems(text)[0]
        assert len(problems(text)[0]) < 500


@pytest.mark.parametrize(
    "number", ["0x10", "1_000", "1e", "--1", "1 2", "1.2.3", "True", "1,5".replace(",", "·"), "1f"]
)
def test_what_only_some_readers_take_for_a_number(number: str) -> None:
    assert problems(f"time,a\ns,-\n0,1\n1,{number}\n") == [
        f"bad.csv: line 4, column 2 ('a'): text {number!r} where a number is expected"
    ]


@given(st.binary(max_size=300))
@example(b"")
@example(b",")
@example(b'"')
@example(b"time,a\n\n\n")
@example(b"time,a\ns,-\n\x00")
@example(b'time,a\ns,-\n0,"1')
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@example(b"time,a\ns,-\n\x0c\n")
@example("time,a\ns,-\n\u2028\n".encode())
def test_any_bytes_give_a_case_or_a_refusal(body: bytes) -> None:
    check(body)


LINE = st.lists(
    st.one_of(
        st.sampled_from(["time", "s", "-", "", "nan", "inf", "1e999", '"', '""', '"a,b"', "\x00", "圧力", "+1", " 2 "]),
        st.integers(-3, 9).map(str),
        st.floats().map(str),
        st.text(max_size=3),
    ),
    max_size=4,
).map(",".join)


@given(st.lists(LINE, max_size=8), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), st.sampled_from(["utf-8", "utf-16"]))
def test_any_lines_give_a_case_or_a_refusal(lines: list[str], end: str, encoding: str) -> None:
    check(end.join(lines).encode(encoding, "replace"))


@given(st.lists(st.lists(st.sampled_from(["0", "1", "2.5", "nan", "x", ""]), min_size=2, max_size=3), max_size=6))
@settings(max_examples=200)
def test_nearly_good_files_give_a_case_or_a_refusal(rows: list[list[str]]) -> None:
    check("\n".join(["time,a", "s,-", *map(",".join, rows)]).encode())


def check(body: bytes) -> None:
    try:
        case = parse_case(FILE, body)
    except CaseFileError as error:
        assert error.problems
        assert all(str(problem).startswith("bad.csv: ") for problem in error.problems)
        assert all("\n" not in problem.text for problem in error.problems)
    else:
        assert np.isfinite(case.values).all()
        assert np.isfinite(case.time).all()
        assert (np.diff(case.time) > 0).all()
        assert case.values.shape == (len(case.time), len(case.names))
        assert len(case.units) == len(case.names) == len(set(case.names)) >= 1
        assert all(case.names)
        assert len(case.time) >= 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([5], "line 5"),
        ([3, 4, 5, 9], "lines 3-5, 9"),
        (range(3, 100, 2), "lines 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25 and 37 more"),
    ],
)
def test_line_ranges(lines: list[int], said: str) -> None:
    assert line_ranges(lines) == said
