"""A folder of files: what is read, and the one message about everything that is wrong."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from builders import NAMES, UNITS, read, refused, smooth_values, write_cases, write_table

from surrogate_modeling.cases.folder import list_case_files, natural_order
from surrogate_modeling.common.errors import UserError

ROWS = 30
HEAD = [["time", *NAMES], ["s", *UNITS]]
GOOD = [*HEAD, *([f"{t}", *(f"{x:.6f}" for x in row)] for t, row in enumerate(smooth_values(ROWS)))]


def text(lines: list[list[str]], separator: str = ",") -> bytes:
    return "".join(separator.join(cells) + "\n" for cells in lines).encode()


def with_cell(line: int, column: int, content: str) -> bytes:
    """The good file with one cell changed; both counted from 1."""
    lines = [list(cells) for cells in GOOD]
    lines[line - 1][column - 1] = content
    return text(lines)


def columns(*order: int) -> bytes:
    return text([[cells[i] for i in order] for cells in GOOD])


@dataclass
class Broken:
    """A kind of broken file and what must be said about it."""

    kind: str
    body: bytes
    said: str


BROKEN = [
    Broken("no_units", text([GOOD[0], *GOOD[2:]]), "line 2: units are expected, numbers were found"),
    Broken("text", with_cell(7, 3, "abc"), "line 7, column 3 ('load'): text 'abc' where a number is expected"),
    Broken("nan", with_cell(5, 4, "NaN"), "line 5, column 4 ('T'): 'NaN' is no number"),
    Broken("empty_cell", with_cell(6, 2, ""), "line 6, column 2 ('valve'): empty cell"),
    Broken("last_cell_empty", with_cell(ROWS + 2, 5, ""), f"line {ROWS + 2}, column 5 ('p'): empty cell"),
    Broken("inf", with_cell(9, 5, "-inf"), "line 9, column 5 ('p'): '-inf' is no number"),
    Broken("too_large", with_cell(9, 5, "1e999"), "line 9, column 5 ('p'): the number is too large"),
    Broken("beyond_float32", with_cell(9, 5, "1e39"), "line 9, column 5 ('p'): values beyond 3e38"),
    Broken("time_back", with_cell(8, 1, "3.5"), "line 8, column 1 ('time'): time does not increase (first from 4 to 3.5"),
    Broken("time_equal", with_cell(8, 1, "4"), "line 8, column 1 ('time'): time does not increase (first from 4 to 4 s)"),
    Broken("time_text", with_cell(8, 1, "00:05"), "line 8, column 1 ('time'): text '00:05'"),
    Broken("gap", text([*GOOD[:12], *GOOD[22:]]), "line 13, column 1 ('time'): gap in time (widest 11 s, the usual step is 1"),
    Broken("column_missing", columns(0, 1, 3, 4), "line 1: missing columns 'load', which"),
    Broken("column_extra", text([[*c, "x" if i == 0 else "1"] for i, c in enumerate(GOOD)]), "line 1: columns 'x' (column 6)"),
    Broken("order", columns(0, 2, 1, 3, 4), "line 1, column 2: 'load' stands where"),
    Broken("twice", with_cell(1, 4, "load"), "line 1, column 4: the name 'load' is already that of column 3"),
    Broken("nameless", with_cell(1, 3, " "), "line 1, column 3: the name is empty"),
    Broken("short", text(GOOD[:7]), "5 rows on the time grid, at least 11 are needed"),
    Broken("one_row", text(GOOD[:3]), "one row of numbers only"),
    Broken("empty", b"", "the file is empty"),
    Broken("blank", b"\n \n\r\n", "the file is empty"),
    Broken("header_only", text(GOOD[:2]), "line 1: names, line 2: units and numbers from line 3 on are expected; the file ends before"),
    Broken("names_only", text(GOOD[:1]), "line 1: names, line 2: units and numbers from line 3 on are expected; the file ends before"),
    Broken("long_row", with_cell(10, 5, "1,2"), "line 10: 6 cells, 5 expected"),
    Broken("short_row", text([*GOOD[:9], GOOD[9][:3], *GOOD[10:]]), "line 10: 3 cells, 5 expected"),
    Broken("units_short", text([GOOD[0], GOOD[1][:4], *GOOD[2:]]), "line 2: 4 units for 5 columns"),
    Broken("semicolons", text(GOOD, ";"), "line 1: 1 column; the separator looks like ';'"),
    Broken("tabs", text(GOOD, "\t"), "line 1: 1 column; the separator looks like '\\t'"),
    Broken("shift_jis", text(GOOD).decode().replace("T,", "温度,").encode("cp932"), "line 1, column 4: not UTF-8; it looks like Shift-JIS"),
    Broken("utf16", text(GOOD).decode().encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
    Broken("utf16_bare", text(GOOD).decode().encode("utf-16-le"), "line 1, column 1: NUL bytes"),
    Broken("nul", with_cell(6, 3, "\x00"), "line 6, column 3: NUL bytes"),
    Broken("image", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xd8", "line 1, column 1: not UTF-8; it may be a binary file"),
    Broken("units", with_cell(2, 4, "K"), "line 2, column 4 ('T'): unit 'K', "),
    Broken("time_unit", with_cell(2, 1, "ms"), "line 2, column 1 ('time'): time must be in seconds (unit 's'), the unit is 'ms'"),
    Broken("blank_line", text([*GOOD[:11], [], *GOOD[11:]]), "line 12: empty line"),
    Broken("endless_grid", text([*HEAD, ["0", *"1234"], ["1e300", *"1234"]]), "line 4, column 1 ('time'): 1e+300 s of time"),
    Broken("endless_cell", with_cell(6, 3, "7" * 200_000 + "x"), "line 6, column 3 ('load'): text '777"),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.kind)
def test_broken_files_are_refused(tmp_path: Path, broken: Broken) -> None:
    for name in ("good1", "good2"):
        (tmp_path / f"{name}.csv").write_bytes(text(GOOD))
    (tmp_path / "bad.csv").write_bytes(broken.body)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    message = str(caught.value)
    first, *problems = [line for line in message.splitlines() if not line.startswith("'pdm run import source=")]
    assert first == f"1 problem in 1 file of {tmp_path}:"
    assert problems[0].startswith(f"  bad.csv: {broken.said}")
    assert len(problems) == 1
    assert len(message) < 1000


def test_every_problem_of_every_file_is_in_one_message(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"good{i}.csv").write_bytes(text(GOOD))
    for broken in BROKEN:
        (tmp_path / f"{broken.kind}.csv").write_bytes(broken.body)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{len(BROKEN)} problems in {len(BROKEN)} files of {tmp_path}:")
    for broken in BROKEN:
        assert f"\n  {broken.kind}.csv: {broken.said}" in message
    assert "good" not in "".join(line.split(":")[0] for line in message.splitlines()[1:])


def test_a_file_with_a_bad_cell_is_still_compared_with_the_others(tmp_path: Path) -> None:
    """Else the missing column, the other unit and the gap would be found only at the next try."""
    for name in ("good1", "good2"):
        (tmp_path / f"{name}.csv").write_bytes(text(GOOD))
    lines = [[*cells[:2], *cells[3:]] for cells in [*GOOD[:12], *GOOD[22:]]]
    lines[5][1] = "abc"
    (tmp_path / "bad.csv").write_bytes(text(lines))
    lines = [list(cells) for cells in GOOD]
    lines[1][3], lines[6][2] = "K", "nan"
    (tmp_path / "bad2.csv").write_bytes(text(lines))
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert "bad.csv: line 6, column 2 ('valve'): text 'abc'" in message
    assert "bad.csv: line 13, column 1 ('time'): gap in time" in message
    assert "bad.csv: line 1: missing columns 'load'" in message
    assert "bad2.csv: line 7, column 3 ('load'): 'nan'" in message
    assert "bad2.csv: line 2, column 4 ('T'): unit 'K', good1.csv and others have 'degC'" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    write_cases(tmp_path, 2)
    (tmp_path / "case1.csv").chmod(0)
    assert "case1.csv: cannot be read: Permission denied" in refused(tmp_path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "case9.csv: a folder, not a file"),
        (lambda path: os.mkfifo(path), "case9.csv: not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "case9.csv: cannot be read: No such file or directory"),
        (lambda path: path.symlink_to(path.name), "case9.csv: cannot be read: "),
    ],
    ids=["folder", "pipe", "dangling", "loop"],
)
def test_what_is_called_csv_but_is_no_file(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    """Named, not silently left out; and never waited for."""
    write_cases(tmp_path, 2)
    try:
        make(tmp_path / "case9.csv")
    except (OSError, AttributeError):
        pytest.skip("this system cannot make one")
    assert said in refused(tmp_path)


def test_two_files_of_one_case_name(tmp_path: Path) -> None:
    write_cases(tmp_path, 2)
    (tmp_path / "case1.CSV").write_bytes((tmp_path / "case1.csv").read_bytes())
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system ignores case")
    assert "the case 'case1' as case1.CSV does" in refused(tmp_path) or "the case 'case1' as case1.csv does" in refused(
        tmp_path
    )


def test_a_file_name_that_is_no_unicode(tmp_path: Path) -> None:
    """Archives made on a Japanese Windows unpack to such names."""
    write_cases(tmp_path, 2)
    path = os.fsencode(tmp_path) + b"/" + "圧力".encode("cp932") + b".csv"
    try:
        Path(os.fsdecode(path)).write_bytes((tmp_path / "case1.csv").read_bytes())
    except OSError:
        pytest.skip("this file system takes Unicode only")
    message = refused(tmp_path)
    assert "the file's name is not UTF-8; rename it" in message
    message.encode()


@pytest.mark.parametrize("path", ["nowhere", "~no_such_user_here/cases", "a\0b", "x" * 5000])
def test_folders_that_are_not_there(path: str) -> None:
    with pytest.raises(UserError, match="^dataset.path="):
        list_case_files(Path(path))


def test_a_file_instead_of_a_folder_and_an_empty_folder(tmp_path: Path) -> None:
    assert "no file *.csv in this folder" in refused(tmp_path)
    (tmp_path / "notes.txt").write_text("no case")
    assert "no file *.csv in this folder" in refused(tmp_path)
    assert "Not a directory" in refused(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + text(GOOD),
        text(GOOD).replace(b"\n", b"\r\n"),
        text(GOOD).replace(b"\n", b"\r"),
        text(GOOD) + b"\n\n  \r\n",
        text(GOOD).rstrip(),
        with_cell(3, 2, "+" + GOOD[2][1]),
        text([[f'"{cell}"' for cell in cells] for cells in GOOD]),
        text(GOOD, " , "),
    ],
    ids=["BOM", "CRLF", "CR", "trailing_blank", "no_final_newline", "plus", "quoted", "spaces"],
)
def test_exotic_but_good_files_read_as_the_plain_one(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(text(GOOD))
    (tmp_path / "b.csv").write_bytes(body)
    plain, exotic = read(tmp_path).cases
    np.testing.assert_array_equal(exotic.time, plain.time)
    np.testing.assert_array_equal(exotic.values, plain.values)


def test_names_of_any_script_and_cases_of_any_length(tmp_path: Path) -> None:
    names = ("弁 開度", "a, b", "T.out/in", "../p")
    for i, rows in enumerate((11, 30, 200)):
        write_table(tmp_path / f"運転 {i}.v1.csv", np.arange(rows), smooth_values(rows, i), names, UNITS)
    case_set = read(tmp_path)
    assert [case.name for case in case_set.cases] == ["運転 0.v1", "運転 1.v1", "運転 2.v1"]
    assert [len(case.values) for case in case_set.cases] == [11, 30, 200]
    assert (case_set.channels.controls, case_set.channels.predicted) == (names[:2], names[2:])
    assert case_set.channels.units == dict(zip(names, UNITS, strict=True))
    for i, case in enumerate(case_set.cases):
        np.testing.assert_array_equal(case.values, smooth_values(len(case.values), i).astype(np.float32))


def test_controls_by_name_come_first_in_the_order_of_the_file(tmp_path: Path) -> None:
    write_cases(tmp_path, 2)
    case_set = read(tmp_path, controls=["T", "load"], targets=["p"])
    assert case_set.channels.controls == ("load", "T")
    assert case_set.channels.predicted == ("valve", "p")
    assert case_set.channels.target_indices == [1]
    np.testing.assert_array_equal(case_set.cases[1].values, smooth_values(45, 1)[:, [1, 2, 0, 3]].astype(np.float32))


def test_limit_reads_the_first_in_natural_order(tmp_path: Path) -> None:
    write_cases(tmp_path, 12)
    names = [case.name for case in read(tmp_path).cases]
    assert names == [f"case{i}" for i in range(12)]
    assert [case.name for case in read(tmp_path, limit=3).cases] == names[:3]


def test_natural_order() -> None:
    names = ["b", "a10", "a2", "a02", "10", "2", "a", "", "²", "a2b", "A1"]
    assert sorted(names, key=natural_order) == ["", "2", "10", "A1", "a", "a02", "a2", "a2b", "a10", "b", "²"]


def test_thousands_of_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(3000)]
    values = np.arange(12 * 3000.0).reshape(12, 3000)
    write_table(tmp_path / "a.csv", np.arange(12), values, names, ["-"] * 3000)
    case_set = read(tmp_path, controls=1000)
    np.testing.assert_array_equal(case_set.cases[0].values, values.astype(np.float32))


def test_ignored_columns_are_not_read_and_may_hold_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also a control between others, a column that only one file has, and cells that are no numbers."""
    write_cases(tmp_path, 3)
    plain = read(tmp_path, ["load"]).cases
    for i, path in enumerate(sorted(tmp_path.glob("*.csv"))):
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(",") for line in file]
        notes = [["note", "-"], *(["note", "-"] if line < 2 else ['"a, b"', ""] for line in range(len(lines)))][1:]
        notes[0], notes[1] = (["note", "only here"] if i == 1 else ["note"]), ["-"] * (1 + (i == 1))
        kept = [[*line[:1], *note[: 1 + (i == 1)], *line[1:]] for line, note in zip(lines, notes, strict=True)]
        path.write_text("".join(",".join(cells) + "\n" for cells in kept), encoding="utf-8")
    for _ in range(2):  # the second time from the cache
        case_set = read(tmp_path, 1, ignore=["note", "only here", "valve"])
        assert case_set.channels.controls == ("load",)
        assert case_set.channels.predicted == ("T", "p")
        assert case_set.channels.units == {"load": "kW", "T": "degC", "p": "bar"}
        for case, like in zip(case_set.cases, plain, strict=True):
            np.testing.assert_array_equal(case.values, like.values[:, [0, 2, 3]])
    assert "the last control is 'load', column 4 of the files" in caplog.text
    caplog.clear()
    assert read(tmp_path, ["load"], ignore=["note", "only here"]).channels.predicted == ("valve", "T", "p")
    assert not caplog.text


def test_an_ignored_name_that_is_no_column_names_the_nearest(tmp_path: Path) -> None:
    write_cases(tmp_path, 2)
    assert refused(tmp_path, ignore=["lod"]) == (
        "dataset.ignore: 'lod' not among the columns after time; the nearest to 'lod' is 'load'"
    )
    assert refused(tmp_path, ignore=["load", "load"]) == "dataset.ignore: load named twice"


def test_problems_name_the_column_of_the_file_beside_ignored_ones(tmp_path: Path) -> None:
    write_cases(tmp_path, 3)
    (tmp_path / "case9.csv").write_bytes(with_cell(9, 5, "1e39"))
    assert "line 9, column 5 ('p'): values beyond 3e38" in refused(tmp_path, controls=1, ignore=["valve"])
