"""Files that cannot be imported are refused with their name, the place in them, and what to do."""

import gzip
import logging
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest
import scipy.io

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.import_keys import Duplicates, ImportConfig, Missing
from surrogate_modeling.importing import text_file
from surrogate_modeling.importing.file_import import FileImport
from surrogate_modeling.importing.run import import_files
from surrogate_modeling.importing.sources import SourceFile

ROWS = "".join(f"{k},{k}\n" for k in range(20))


def binary(path: Path) -> bytes:
    """A Parquet file."""
    pd.DataFrame({"t": [0.0, 1.0], "y": [1.0, 2.0]}).to_parquet(path)
    return path.read_bytes()


# Name of the file, content, keys, and what the message says behind the name.
BROKEN: list[tuple[str, str | bytes, dict[str, Any], str]] = [
    ("a.csv", "", {}, "the file is empty"),
    ("a.csv", " \n\n", {}, "the file is empty"),
    ("a.csv", "hello world\nthis is prose\nof three lines\n", {}, "lines 1-3: no rows of numbers are found"),
    ("a.csv", "1\n2\n3\n", {}, "line 3: one number to a line"),
    ("a.csv", bytes(range(256)) * 9, {}, "not text: NUL bytes"),
    ("a.csv", "t,y\ns,bar\n", {}, "lines 1-2: no rows of numbers are found"),
    ("a.csv", "t,y\n0,1\n", {}, "one row of numbers only"),
    ("a.csv", "t,y\n0,1\n1\n2,3\n3,4\n", {}, r"line 3: not 2 cells as in the other rows \(the first is '1'\)"),
    ("a.csv", "t,y\n0,1\n1,2,3\n2,3\n3,4\n", {}, "line 3: not 2 cells"),
    ("a.csv", "t,y\n0,1\n1,x\n2,3\n3,4\n", {}, "line 3, column 'y': text 'x' where a number is expected"),
    ("a.csv", "t,y\n0,1\n1,1.2.3\n2,3\n3,4\n", {}, "line 3, column 'y': text '1.2.3'"),
    ("a.csv", "t,y\n0,1\n1,\n2,3\n", {}, "line 3, column 'y': no number in 1 cell; missing=interpolate"),
    ("a.csv", "t,y\n0,1\n1,inf\n2,3\n", {}, "line 3, column 'y': no number"),
    ("a.csv", "t,x,y\n0,,1\n1,,2\n2,,3\n", {"missing": Missing.interpolate}, "column 'x': no number in any row"),
    ("a.csv", "t,y\n0,\n1,2\n2,3\n", {"missing": Missing.interpolate}, "line 2, column 'y': missing at the beginning"),
    ("a.csv", f"t,y\n{ROWS}20,\n21,\n22,\n23,\n24,\n25,\n26,1\n", {"missing": Missing.interpolate},
     "up to line 28, column 'y': no number for 7 s, at most 5 s"),
    ("a.csv", f"t,y\n{ROWS}20,\n21,\n22,\n23,\n24,\n25,\n26,1\n", {"missing": Missing.drop_rows},
     "up to line 28, column 'y': no number for 7 s"),
    ("a.csv", "t,y\n0,1\n2,2\n1,3\n3,4\n", {}, r"line 4, column 't': time goes back \(first from 2 to 1 s\)"),
    ("a.csv", "t,y\n0,1\n0,2\n1,3\n", {"duplicates": Duplicates.error}, "line 3: the time is that of the row before"),
    ("a.csv", "t,y\n0,1\n,2\n1,3\n", {}, "line 3, column 't': no time; missing=drop_rows"),
    ("a.csv", "x,y\n3,1\n1,5\n2,3\n", {}, "no column looks like time; give time=<column> of 'x', 'y'"),
    ("a.csv", "x,y\n3,1\n1,5\n2,3\n", {"time": "z"}, "time=z: no such column; there are 'x', 'y'"),
    ("a.csv", "t [bar],y\n0,1\n1,5\n2,3\n", {}, "column 't .bar.': 'bar' cannot be converted to 's'"),
    ("a.csv", "date,y\n1/2/2024,1\n3/2/2024,2\n5/2/2024,3\n", {}, "'1/2/2024' can be read as %d/%m/%Y or %m/%d/%Y"),
    ("a.csv", "date,y\n2024-13-45 1:00,1\n2024-13-46 1:00,2\n", {}, "'2024-13-45 1:00' is no date of a known form"),
    ("a.csv", "date,y\n2024-01-01,1\n2024-01-02,2\n2024-02-31,2\n2024-01-04,2\n", {}, "line 4, column 'date': '2024-02-31' is no time"),
    ("a.csv", "t,y\n0,1\n1,2\n", {"ignore": ["y"]}, "no column is left beside time"),
    ("a.csv", "t,id\n" + "".join(f"{k},name {k}\n" for k in range(30)), {}, "column 'id': 30 different texts"),
    ("a.csv", "t,m\n0,a\n1,b\n2,c\n", {"text": {"m": {"a": 0, "b": 1}}}, "line 4, column 'm': 'c' is none of the texts"),
    ("a.csv", "t,y [qux]\n0,1\n1,2\n", {"to_units": {"y": "bar"}}, "column 'y': the unit 'qux' is not known"),
    ("a.csv", "t,y [K]\n0,1\n1,2\n", {"to_units": {"y": "bar"}}, "column 'y': 'K' cannot be converted to 'bar'"),
    ("a.csv", "t;y\n0;1\n1;2\n", {"header_row": 7}, "header_row=7: the rows of numbers begin at line 2"),
    ("a.csv", "t;y;z\n0;1\n1;2\n2;3\n", {}, "line 1: 3 names for 2 columns; mend the line, or give header_row"),
    ("a.csv", "t,ä\n0,1\n1,2\n".encode("latin-1"), {"encoding": "utf-8"}, "line 1: not utf-8; give encoding"),
    ("a.csv.gz", gzip.compress(b"t,y\n0,1\n1,2\n")[:-12], {}, "the archive is damaged"),
    ("a.csv.gz", b"t,y\n0,1\n1,2\n", {}, "the archive is damaged"),
    ("a.xlsx", b"PK\x03\x04 not a workbook", {}, ""),
    ("a.mat", b"not a MATLAB file" * 20, {}, ""),
    ("a.h5", b"not an HDF5 file" * 20, {}, ""),
    ("a.mf4", b"not an MDF file" * 20, {}, ""),
    ("a.parquet", b"PAR1 cut", {}, ""),
    ("a.feather", b"ARROW1 cut", {}, ""),
    ("a.xls", b"\xd0\xcf\x11\xe0", {}, ""),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=[f"{i}-{row[0]}" for i, row in enumerate(BROKEN)])
def test_a_broken_file_is_refused_with_file_and_place(tmp_path: Path, number: int) -> None:
    name, content, keys, reason = BROKEN[number]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    out = tmp_path / "out"
    with pytest.raises(UserError) as refused:
        import_files(ImportConfig(source=str(path), output=str(out), workers=1, progress_bar=False, **keys))
    message = str(refused.value)
    assert str(path) in message
    assert re.search(reason, message), message
    assert "Traceback" not in message
    assert sorted(left.name for left in tmp_path.iterdir()) == [name]


def test_a_zip_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"a.zip: no zip archive"):
        import_files(ImportConfig(source=str(tmp_path / "a.zip"), output=str(tmp_path / "out")))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme.md", "none")
    with pytest.raises(UserError, match=r"b.zip: holds no file of a known format"):
        import_files(ImportConfig(source=str(tmp_path / "b.zip"), output=str(tmp_path / "out")))


def test_tables_of_other_formats_name_the_row(tmp_path: Path) -> None:
    """A wrong cell behind the rows that the guesses are made from, in each format that holds whole tables."""
    frame = pd.DataFrame({"t": np.arange(5.0), "y": [1.0, 2.0, np.nan, 4.0, 5.0]})
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    scipy.io.savemat(tmp_path / "a.mat", {"t": frame["t"].to_numpy(), "y": frame["y"].to_numpy()})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["y"] = frame["t"].to_numpy(), frame["y"].to_numpy()
    for suffix, place in (
        ("xlsx", "line 4|row 4|row 3"),
        ("parquet", "row 3"),
        ("feather", "row 3"),
        ("mat", "row 3"),
        ("h5", "row 3"),
    ):
        with pytest.raises(UserError) as refused:
            import_files(ImportConfig(source=str(tmp_path / f"a.{suffix}"), output=str(tmp_path / "out"), workers=1))
        assert re.search(rf"a.{suffix}.*({place}), column 'y': no number", str(refused.value)), refused.value


def test_files_that_do_not_fit_the_first_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("t,x [bar],y\n0,1,2\n1,2,3\n")
    others = {
        "b.csv": ("t,x [bar]\n0,1\n1,2\n", "missing columns 'y', which the first file has"),
        "c.csv": ("t,x [bar],y,z\n0,1,2,3\n1,2,3,4\n", "columns 'z' are not in the first file"),
        "d.csv": ("t,x [K],y\n0,1,2\n1,2,3\n", "column 'x': 'K' cannot be converted to 'bar'"),
        "e.csv": ("t,x,y\n0,1,2\n1,2,3\n", "column 'x': no unit is given, the cases have 'bar'"),
    }
    for name, (text, _) in others.items():
        (tmp_path / "in" / name).write_text(text)
    with pytest.raises(UserError) as refused:
        import_files(ImportConfig(source=str(tmp_path / "in"), output=str(tmp_path / "out"), workers=1))
    lines = str(refused.value).splitlines()
    assert lines[0] == "4 of 5 files cannot be imported:"
    for line, (name, (_, reason)) in zip(lines[1:], others.items(), strict=True):
        assert line.startswith(f"  {tmp_path}/in/{name}: {reason}")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"controls": ["z"]}, "controls: 'z' is no column"),
        ({"controls": 2}, "controls=2: there are 2 columns"),
        ({"controls": ["x"], "targets": ["x"]}, "targets: 'x' is no predicted column"),
        ({"ignore": ["z"]}, "ignore: 'z' is no column of"),
        ({"units": {"z": "K"}}, "units: 'z' is no column of"),
        ({"cases_by": "nope"}, "cases_by=nope: a column of the files, gaps, or a length in seconds"),
        ({"parameters": "missing.csv"}, "parameters=missing.csv: no such file"),
        ({"source": "nowhere"}, "source=nowhere: no such file or folder"),
        ({"source": "nowhere/*.csv"}, "source=nowhere/.*: no file matches"),
    ],
)
def test_a_key_that_does_not_fit_the_files_is_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    (tmp_path / "a.csv").write_text("t,x,y\n0,1,2\n1,2,3\n")
    with pytest.raises(UserError, match=message):
        import_files(ImportConfig(**{"source": str(tmp_path / "a.csv"), "output": str(tmp_path / "out"), **keys}))
    assert [left.name for left in tmp_path.iterdir()] == ["a.csv"]


def test_a_sheet_of_notes_beside_a_sheet_of_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["t", "y"])
    for k in range(3):
        book.active.append([k, k])
    book.active.append([3, "broken"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match=r"a.xlsx.*(line|row) \d, column 'y': text 'broken'"):
        import_files(ImportConfig(source=str(tmp_path / "a.xlsx"), output=str(tmp_path / "out"), workers=1))


def imported(tmp_path: Path, **keys: Any) -> None:
    """Import ``tmp_path/in`` to ``tmp_path/out``."""
    import_files(ImportConfig(str(tmp_path / "in"), str(tmp_path / "out"), progress_bar=False, **keys))


GOOD = "time [s],u [%],p [bar]\n0,1,2\n1,2,3\n2,3,4\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", b"PK no archive", "no zip archive"),
        ("a.csv", b'{"a": [1, 2, 3]}', "no column looks like time"),
        ("a.csv", bytes(range(256)), "not text"),
        ("a.csv", b"", "the file is empty"),
    ],
)
def test_the_others_go_on_without_a_bad_first_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    (tmp_path / "in" / "b.csv").write_text(GOOD)
    with pytest.raises(UserError, match=rf"1 of 2 files cannot be imported:\n  .*{name}: {reason}"):
        imported(tmp_path)
    assert not (tmp_path / "out").exists()
    with caplog.at_level(logging.INFO):
        imported(tmp_path, skip_bad=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.csv", "cases.csv", "import.yaml"]
    assert reason in caplog.text


@pytest.mark.parametrize("head", ["time,p [bar]\ns,Pa\n", "time [s],p [bar] [Pa]\n"])
def test_two_units_of_one_column_are_refused_until_one_is_named(tmp_path: Path, head: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(head + "0,1\n1,2\n2,3\n")
    with pytest.raises(UserError, match=r"two units, 'bar' in the name and 'Pa' beside it; 'units=\{\"p \[bar\]\": Pa"):
        imported(tmp_path)
    imported(tmp_path, units={"p [bar]": "Pa"})
    assert (tmp_path / "out" / "a.csv").read_text() == "time,p [bar]\ns,Pa\n0,1\n1,2\n2,3\n"


def test_brackets_that_hold_no_unit_of_the_quantity_are_a_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("time,T[in],T[out]\ns,degC,degC\n0,1,5\n1,2,6\n")
    imported(tmp_path)
    assert (tmp_path / "out" / "a.csv").read_text() == "time,T[in],T[out]\ns,degC,degC\n0,1,5\n1,2,6\n"


def test_a_point_for_thousands_that_comes_after_the_sample_is_no_decimal_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    rows = "".join(f"{k};{k},5\n" for k in range(20))
    (tmp_path / "in" / "a.csv").write_text("t;y\n" + rows + "20;1.250\n21;1,5\n")
    monkeypatch.setattr(text_file, "SAMPLE_BYTES", 60)
    with pytest.raises(
        UserError, match=r"line 22, column 'y': '1.250' is not written as the numbers of the first rows"
    ):
        imported(tmp_path)
    (tmp_path / "in" / "a.csv").write_text("t;y\n" + rows + "20.000;1,5\n")
    with pytest.raises(UserError, match=r"line 22, column 't': '20.000' is no time as in the other rows"):
        imported(tmp_path)


def test_a_second_line_of_units_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("time,p\ns,bar\n0,1\n1,2\n2,3\ns,Pa\n3,1e5\n4,2e5\n")
    with pytest.raises(UserError, match=r"line 6, column 'time': 's' is no time as in the other rows"):
        imported(tmp_path)


@pytest.mark.parametrize("cells", [("1 bar", "2 bar", "3.5 bar"), ("1%", "2%", "3%"), ("1 bar", "2 bar", "3 Pa")])
def test_numbers_with_a_unit_in_each_cell_are_no_modes(tmp_path: Path, cells: tuple[str, ...]) -> None:
    (tmp_path / "in").mkdir()
    rows = "".join(f"{k},{cell}\n" for k, cell in enumerate(cells))
    (tmp_path / "in" / "a.csv").write_text("time [s],p\n" + rows)
    with pytest.raises(UserError, match=rf"column 'p': a unit in each cell \('{cells[0]}'\); write it once"):
        imported(tmp_path)


def test_names_that_look_like_a_number_and_a_unit_are_modes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("time [s],p\n0,3A\n1,3B\n2,3C\n")
    imported(tmp_path)
    assert (tmp_path / "out" / "a.csv").read_text().startswith("time,p=3A,p=3B,p=3C\ns,-,-,-\n0,1,0,0\n")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "in" / name).write_text(GOOD)
    read = FileImport.run

    def slow(self: FileImport, file: SourceFile, *args: Any) -> Any:
        done = read(self, file, *args)
        if file.stem == "b":
            (tmp_path / "in" / "b.csv").write_text(GOOD + "3,4,5\n")
        return done

    monkeypatch.setattr(FileImport, "run", slow)
    imported(tmp_path, skip_bad=True)
    # The case that was written of it is gone.
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "cases.csv", "import.yaml"]
    (tmp_path / "in" / "b.csv").write_text(GOOD)
    with pytest.raises(UserError, match=r"b\.csv: changed while it was read; import it again when it is complete"):
        imported(tmp_path)
