"""Text files of every dialect are read as the table that a person sees in them."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.importing import text_file
from surrogate_modeling.importing.raw_table import BadFile, ReadOptions
from surrogate_modeling.importing.text_file import dialect_of, read, read_blocks

NAN = float("nan")
PLAIN = {"time": [0, 1, 2], "u": [1, 2, 3], "y": [2, 3, 4]}
DIALECTS = {
    "case format": (b"time,u,y\ns,-,bar\n0,1,2\n1,2,3\n2,3,4\n", PLAIN),
    "no units": (b"time,u,y\n0,1,2\n1,2,3\n2,3,4\n", PLAIN),
    "no names": (b"0,1,2\n1,2,3\n2,3,4\n", {"column 1": [0, 1, 2], "column 2": [1, 2, 3], "column 3": [2, 3, 4]}),
    "semicolons and decimal commas": (
        "Zeit [s];T [°C]\n0,0;1,5\n0,1;1,6\n0,2;-1,7E1\n".encode("latin-1"),
        {"Zeit [s]": [0, 0.1, 0.2], "T [°C]": [1.5, 1.6, -17]},
    ),
    "points for thousands": (
        b"t;a\n0,0;1.234,5\n0,1;1.235,5\n0,2;1.236,5\n",
        {"t": [0, 0.1, 0.2], "a": [1234.5, 1235.5, 1236.5]},
    ),
    "quoted commas for thousands": (
        b't,a\n0.0,"1,234.5"\n0.1,"1,235.5"\n0.2,999\n',
        {"t": [0, 0.1, 0.2], "a": [1234.5, 1235.5, 999]},
    ),
    "spaces for thousands": (
        "t;a\n0;1 234,5\n1;2\u00a0234,5\n2;3 234,5\n".encode(),
        {"t": [0, 1, 2], "a": [1234.5, 2234.5, 3234.5]},
    ),
    "tabs": (b"t\tx y\tz\n0\t1\t2\n1\t2\t3\n", {"t": [0, 1], "x y": [1, 2], "z": [2, 3]}),
    "bars": (b"time|u|y\n0|1|2\n1|2|3\n2|3|4\n", PLAIN),
    "spaces": (
        b"  Time (s)   Temp (C)  p\n  0.0   1.0  2\n  1.0   1.5  2\n",
        {"Time (s)": [0, 1], "Temp (C)": [1, 1.5], "p": [2, 2]},
    ),
    "names behind a comment mark": (b"# time u y\n0 1 2\n1 2 3\n2 3 4\n", PLAIN),
    "Shift-JIS": ("時間,温度\ns,℃\n0,1\n1,2\n".encode("cp932"), {"時間": [0, 1], "温度": [1, 2]}),
    "EUC-JP": ("時間,温度,圧力\n0,1,2\n1,2,3\n".encode("euc_jp"), {"時間": [0, 1], "温度": [1, 2], "圧力": [2, 3]}),
    "Latin-1": ("Länge;Größe\n0;1,5\n1;2,5\n".encode("latin-1"), {"Länge": [0, 1], "Größe": [1.5, 2.5]}),
    "UTF-16": ("time;u;y\n0;1;2\n1;2;3\n2;3;4\n".encode("utf-16"), PLAIN),
    "UTF-16 without a mark": ("time;u;y\n0;1;2\n1;2;3\n2;3;4\n".encode("utf-16-le"), PLAIN),
    "UTF-8 with a mark": ("time;u;y\n0;1;2\n1;2;3\n2;3;4\n".encode("utf-8-sig"), PLAIN),
    "preamble": (b"# Tool\n# Date: 1\nProject;Foo\n\ntime;u;y\n[s];[-];[bar]\n0;1;2\n1;2;3\n2;3;4\n", PLAIN),
    "description under the units": (b"time,u,y\ns,%,bar\nRun,Valve,Pressure\n0,1,2\n1,2,3\n2,3,4\n", PLAIN),
    "trailing separators": (b"time,u,y,\n0,1,2,\n1,2,3,\n2,3,4,\n", PLAIN),
    "trailing separators under the rows only": (b"time,u,y\n0,1,2,\n1,2,3,\n2,3,4,\n", PLAIN),
    "row numbers without a name": (b",time,u\n0,0.0,1\n1,0.1,2\n", {"index": [0, 1], "time": [0, 0.1], "u": [1, 2]}),
    "row numbers beside the names": (b"time u\n1 0.0 5\n2 0.1 6\n", {"index": [1, 2], "time": [0, 0.1], "u": [5, 6]}),
    "a cut last line": (b"time,u,y\n0,1,2\n1,2,3\n2,3,4\n3,4", PLAIN),
    "what C prints for no number": (
        b"time,u\n0,1\n1,1.#IND\n2,-1.#QNAN\n3,nan\n4,\n5,#N/A\n",
        {"time": [0, 1, 2, 3, 4, 5], "u": [1, NAN, NAN, NAN, NAN, NAN]},
    ),
    "Fortran exponents": (
        b" time u\n 0.0D+00 1.0D+02\n 1.0D+00 1.5d-02\n 2.0D+00 1.5-102\n",
        {"time": [0, 1, 2], "u": [100, 0.015, 1.5e-102]},
    ),
    "comments between the rows": (b"time,u,y\n0,1,2\n# stop\n1,2,3\n2,3,4\n", PLAIN),
    "carriage returns": (b"time,u,y\r0,1,2\r1,2,3\r2,3,4\r", PLAIN),
    "lines that end twice": (b"time,u,y\r\r\n0,1,2\r\r\n1,2,3\r\r\n2,3,4\r\r\n", PLAIN),
    "lines that end twice, and a preamble": (
        b"a tool\r\r\nof ours\r\r\ntime,u,y\r\r\n0,1,2\r\r\n1,2,3\r\r\n2,3,4\r\r\n",
        PLAIN,
    ),
    "empty lines at the end": (b"time,u,y\r\n0,1,2\r\n1,2,3\r\n2,3,4\r\n\r\n\r\n", PLAIN),
    "quoted names": (b'"time [s]","a, b [bar]"\n0.0,1\n0.5,2\n', {"time [s]": [0, 0.5], "a, b [bar]": [1, 2]}),
    "one name twice": (b"t,x,x\n0,1,2\n1,2,3\n", {"t": [0, 1], "x": [1, 2], "x 2": [2, 3]}),
    "FMI results": (b'"time","x","y[1]"\n0.0,1,2\n0.5,2,3\n', {"time": [0, 0.5], "x": [1, 2], "y[1]": [2, 3]}),
    "signs and bare points": (b"t,x\n0,+1.5\n1,-.5\n2,3.\n", {"t": [0, 1, 2], "x": [1.5, -0.5, 3]}),
}


def table(tmp_path: Path, body: bytes, **options: object) -> object:
    path = tmp_path / "a.csv"
    path.write_bytes(body)
    return read(path, ReadOptions(name="a.csv", **options))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_is_read(tmp_path: Path, dialect: str) -> None:
    body, expected = DIALECTS[dialect]
    frame = table(tmp_path, body).frame
    assert list(frame.columns) == list(expected)
    for name, values in expected.items():
        assert frame[name].dtype == float
        np.testing.assert_array_equal(frame[name].to_numpy(), np.array(values, float))


@pytest.mark.parametrize(
    ("body", "units"),
    [
        (b"time,u,y\ns,%,bar\n0,1,2\n1,2,3\n", {"time": "s", "u": "%", "y": "bar"}),
        (b"time,u,y\n[s],[-],(furlong)\n0,1,2\n1,2,3\n", {"time": "s", "u": "-", "y": "furlong"}),
        (b"s,%,bar\ntime,u,y\n0,1,2\n1,2,3\n", {"time": "s", "u": "%", "y": "bar"}),
        (b"Test;of;today\ntime;u;y\ns;%;bar\n0;1;2\n1;2;3\n", {"time": "s", "u": "%", "y": "bar"}),
        # Units of an unknown kind are recognized under names by being equal.
        (b"time,u,y\nsek,qux,qux\n0,1,2\n1,2,3\n", {"time": "sek", "u": "qux", "y": "qux"}),
        # One unit of time tells what the others are, whatever they are.
        (b"time,u,y\ns,m3N/h,MPaG\n0,1,2\n1,2,3\n", {"time": "s", "u": "m3N/h", "y": "MPaG"}),
        (b"s,m3N/h,MPaG\ntime,u,y\n0,1,2\n1,2,3\n", {"time": "s", "u": "m3N/h", "y": "MPaG"}),
        (b"time,u,y\n[min],[barG],MPaG\nRun,Valve,Pressure\n0,1,2\n1,2,3\n", {"time": "min", "u": "barG", "y": "MPaG"}),
        (b"time,u,y\n0,1,2\n1,2,3\n", {}),
        (b"Project,of,today\ntime,u,y\n0,1,2\n1,2,3\n", {}),
    ],
)
def test_units_are_those_of_their_line(tmp_path: Path, body: bytes, units: dict[str, str]) -> None:
    found = table(tmp_path, body)
    assert list(found.frame.columns) == ["time", "u", "y"]
    assert found.units == units


@pytest.mark.parametrize(
    ("head", "names", "units"),
    [
        (
            "時刻,流量,流量\ns,m3N/h,m3N/h",
            ["時刻", "流量", "流量 2"],
            {"時刻": "s", "流量": "m3N/h", "流量 2": "m3N/h"},
        ),
        ("No,Messzeit,p\n-,s,barG", ["No", "Messzeit", "p"], {"No": "-", "Messzeit": "s", "p": "barG"}),
        # Enthalpy and entropy, and names in two languages, are no units.
        ("Test,of,today\ntime,h,s", ["time", "h", "s"], {}),
        ("Time,Flow,Pressure\n時間,流量,圧力", ["時間", "流量", "圧力"], {}),
    ],
)
def test_a_unit_of_time_makes_a_line_of_units_only_beside_names(
    tmp_path: Path, head: str, names: list[str], units: dict[str, str]
) -> None:
    found = table(tmp_path, f"{head}\n0,0.5,2\n1,1.5,3\n".encode())
    assert (list(found.frame.columns), found.units) == (names, units)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_breaks_in_quotes_of_the_head_are_blanks(tmp_path: Path, end: str) -> None:
    lines = ['Bench "A", 5" pipe', 'time;"T\nout";"p, q\n\nin"', 's;"°C";bar', "0;1;2", "1;2;3"]
    found = table(tmp_path, end.join(lines).encode())
    assert {name: found.frame[name].tolist() for name in found.frame} == {
        "time": [0, 1],
        "T out": [1, 2],
        "p, q in": [2, 3],
    }
    assert found.units == {"time": "s", "T out": "°C", "p, q in": "bar"}
    assert found.remarks == ("lines 2-5 of the head are one: line breaks in quotes are taken as blanks",)
    assert found.line_numbers.tolist() == [7, 8]


def test_a_quote_that_nothing_closes_joins_no_lines(tmp_path: Path) -> None:
    found = table(tmp_path, b'"open\ntime,u,y\n0,1,2\n1,2,3\n')
    assert (list(found.frame.columns), found.remarks) == (["time", "u", "y"], ())


def test_text_stays_text(tmp_path: Path) -> None:
    frame = table(tmp_path, b"time,mode,on\n0,heat,ON\n1,,OFF\n2,cool,ON\n").frame
    assert frame["on"].tolist() == ["ON", "OFF", "ON"]
    assert frame["mode"].tolist() == ["heat", "", "cool"]


def test_the_line_of_the_first_row_is_known_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    found = table(tmp_path, b"# x\ntime,u,y\ns,%,bar\nRun,Valve,Pressure\n0,1,2\n1,2,3\n2,3")
    assert found.lines == 5
    assert found.remarks == (
        "line 4 of the head is neither names nor units and is left out",
        "line 7, the last, is cut ('2,3') and is left out",
    )


def test_lines_of_the_head_that_are_left_out_above_the_names_are_said_too(tmp_path: Path) -> None:
    body = b"Project,of,today\nLoop,two,cold\nnote\nTest,of,loop\nTimer,U,P\ntime,u,y\n0,1,2\n1,2,3\n"
    assert table(tmp_path, body).remarks == ("lines 4-5 of the head are neither names nor units and are left out",)


def test_keys_replace_guesses(tmp_path: Path) -> None:
    body = b"a;b\nx;y\n1,5;2\n2,5;3\n3,5;4\n"
    assert list(table(tmp_path, body).frame.columns) == ["x", "y"]
    found = table(tmp_path, body, header_row=1, unit_row=2, decimal=",", separator=";")
    assert list(found.frame.columns) == ["a", "b"]
    assert found.units == {"a": "x", "b": "y"}
    assert table(tmp_path, body, header_row=0, unit_row=0).frame.columns.tolist() == ["column 1", "column 2"]
    assert table(tmp_path, "t;ä\n0;1\n1;2\n".encode("cp1252"), encoding="cp1252").frame.columns[1] == "ä"
    with pytest.raises(BadFile, match="a.csv: header_row=9: the rows of numbers begin at line 3"):
        table(tmp_path, body, header_row=9)
    with pytest.raises(BadFile, match="a.csv: encoding=nope: no such encoding"):
        table(tmp_path, body, encoding="nope")
    with pytest.raises(BadFile, match="a.csv: separator=ab: one character"):
        table(tmp_path, body, separator="ab")


def test_blocks_are_the_file_in_parts_and_text_may_begin_late(tmp_path: Path) -> None:
    lines = [f"{k},{k * 2},{k if k < 900 else '1.5D+01'}" for k in range(1000)]
    path = tmp_path / "a.csv"
    path.write_text("time,u,y\n" + "\n".join(lines) + "\n")
    blocks = list(read_blocks(path, ReadOptions(), block_bytes=2000))
    assert len(blocks) > 3
    assert [block.lines for block in blocks] == [2 + sum(len(b.frame) for b in blocks[:i]) for i in range(len(blocks))]
    joined = np.concatenate([block.frame.to_numpy(dtype=float) for block in blocks])
    expected = [[k, 2 * k, k if k < 900 else 15] for k in range(1000)]
    np.testing.assert_array_equal(joined, expected)


def test_the_guess_of_an_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("時間,温度\n0,1\n1,2\n".encode("cp932"))
    found = dialect_of(path, ReadOptions())
    assert found.encoding == "cp932"
    assert found.remarks == ("encoding cp932 is a guess; encoding=... says otherwise",)


@pytest.mark.parametrize(
    ("late", "encoding", "reason"),
    [
        ("40;4;停\n".encode("cp932"), None, "a.csv: line 42: not utf-8; give encoding=..., e.g. cp932 or latin-1"),
        ("40;停;a\n".encode("cp932"), None, "a.csv: line 42: not utf-8"),
        ("40;停;a;9\n".encode("cp932"), None, "a.csv: line 42: not utf-8"),
        ("40;4;℃\n".encode(), "cp932", "a.csv: line 42: not cp932; give encoding=..., e.g. utf-8 or latin-1"),
    ],
)
def test_text_of_another_encoding_behind_the_sample_is_named_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bytes, encoding: str | None, reason: str
) -> None:
    monkeypatch.setattr(text_file, "SAMPLE_BYTES", 100)
    body = b"t;y;mode\n" + b"".join(b"%d;%d;a\n" % (k, k) for k in range(40)) + late + b"41;4;a\n"
    with pytest.raises(BadFile, match=reason):
        table(tmp_path, body, encoding=encoding)


def test_an_encoding_given_that_the_head_is_not_of_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "SAMPLE_BYTES", 40)
    body = "時刻;温度℃\n".encode() + b"".join(b"%d;%d\n" % (k, k) for k in range(40))
    with pytest.raises(BadFile, match=r"a.csv: line 1: not cp932; give encoding=..., e.g. utf-8 or latin-1"):
        table(tmp_path, body, encoding="cp932")
    with pytest.raises(BadFile, match=r"a.csv: encoding=hex: no such encoding"):
        table(tmp_path, body, encoding="hex")


def test_an_encoding_given_against_the_bytes_is_said(tmp_path: Path) -> None:
    body = "時刻,温度\n0,1\n1,2\n".encode()
    remark = "the file is written in utf-8 by its bytes, and read in cp932 as encoding=... says"
    assert table(tmp_path, body, encoding="cp932").remarks == (remark,)
    assert table(tmp_path, body, encoding="UTF8").remarks == ()
    assert table(tmp_path, "時刻,温度\n0,1\n1,2\n".encode("cp932"), encoding="cp932").remarks == ()
    assert table(tmp_path, b"t,y\n0,1\n1,2\n", encoding="cp932").remarks == ()


TOOLS = {
    "LabVIEW": (
        "LabVIEW Measurement\t\n***End_of_Header***\t\n\t\nChannels\t2\t\t\nSamples\t5\t5\t\n***End_of_Header***\t\t\t\n"
        "X_Value\tU1\tU2\tComment\n0,0\t1,5\t2,5\n0,1\t1,6\t2,4\n",
        {"X_Value": [0, 0.1], "U1": [1.5, 1.6], "U2": [2.5, 2.4]},
    ),
    "AMESim": (
        "% Amesim data\n% Time [s], pump@speed [rev/min], tank@pressure [barA]\n0.0 1000.0 1.0\n0.1 1100.0 1.1\n",
        {"Time [s]": [0, 0.1], "pump@speed [rev/min]": [1000, 1100], "tank@pressure [barA]": [1, 1.1]},
    ),
    "Fluent": (
        '"report"\n"Time Step" "etc.."\n("Time Step" "flow-time" "mass-flow")\n1 0.01 0.5\n2 0.02 0.6\n',
        {"Time Step": [1, 2], "flow-time": [0.01, 0.02], "mass-flow": [0.5, 0.6]},
    ),
    "STAR-CCM+": (
        '"Physical Time: Physical Time (s)","Temp Monitor: Temp Monitor (K)"\n0.1,300\n0.2,301\n',
        {"Physical Time: Physical Time (s)": [0.1, 0.2], "Temp Monitor: Temp Monitor (K)": [300, 301]},
    ),
    "GT-POST": (
        "# GT-POST export\nTime\tPressure Inlet\tT\nsec\tbar\tK\n0\t1.0\t300\n0.1\t1.1\t301\n",
        {"Time": [0, 0.1], "Pressure Inlet": [1, 1.1], "T": [300, 301]},
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_heads_of_tools(tmp_path: Path, tool: str) -> None:
    text, expected = TOOLS[tool]
    frame = table(tmp_path, text.encode()).frame
    assert {name: frame[name].tolist() for name in frame} == expected


def test_lines_are_those_of_the_file_also_behind_comments_and_empty_lines(tmp_path: Path) -> None:
    body = b"# x\nt,y\n0,1\n\n# c\n1,2\n\n2,3\n3,4\n\n\n"
    found = table(tmp_path, body)
    assert found.frame["t"].tolist() == [0, 1, 2, 3]
    assert found.line_numbers.tolist() == [3, 6, 8, 9]
    with pytest.raises(BadFile, match=r"line 7: not 2 cells as in the other rows \(the first is '2'\)"):
        table(tmp_path, body.replace(b"1,2\n\n", b"1,2\n2\n"))
    assert "line 10, the last, is cut ('5')" in str(table(tmp_path, body.rstrip() + b"\n5\n").remarks)
    path = tmp_path / "long.csv"
    path.write_text("t;y\n" + "".join(f"{k};{k}\n" + "\n" * (k % 50 == 0) for k in range(1000)))
    lines = np.concatenate([block.line_numbers for block in read_blocks(path, ReadOptions(), block_bytes=1500)])
    assert lines.tolist() == [2 + k + (k + 49) // 50 for k in range(1000)]
