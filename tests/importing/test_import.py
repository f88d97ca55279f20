"""Files of every kind become clean cases: the whole import, in this process."""

import gzip
import logging
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from imported import case, run, write

from surrogate_modeling.cases.case_file import parse_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.import_keys import CaseFormat, Duplicates, Group, Missing


def test_a_german_export_becomes_a_case(tmp_path: Path) -> None:
    text = "Prüfstand;7\nZeit [ms];Pumpe;T (°C);Druck / bar\n0;AUS;20,5;1\n100;EIN;21;1,5\n200;EIN;21,5;2\n"
    write(tmp_path, "lauf1.csv", text.encode("latin-1"))
    out = run(tmp_path)
    assert (out / "lauf1.csv").read_text() == (
        "Zeit,Pumpe,T,Druck\ns,-,°C,bar\n0,0,20.5,1\n0.1,1,21,1.5\n0.2,1,21.5,2\n"
    )
    head, row = (out / "cases.csv").read_text().splitlines()
    assert head == "case,group,source,rows,step,start,duplicates,filled,dropped"
    assert row == f"lauf1,,{tmp_path}/in/lauf1.csv,3,0.1,,0,0,0"


def test_controls_come_first_and_ignored_columns_and_row_numbers_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "a.csv", ",note,y,t,u,v\n0,x,1,0,5,7\n1,y,2,1,6,8\n2,z,3,2,7,9\n")
    with caplog.at_level(logging.INFO):
        out = run(tmp_path, controls=["v", "u"], targets=["y"], ignore=["note"], units={"u": "V"})
    units, numbers = case(out / "a.csv")
    assert units == {"t": "s", "u": "V", "v": "", "y": ""}
    assert numbers.tolist() == [[0, 5, 7, 1], [1, 6, 8, 2], [2, 7, 9, 3]]
    assert "column 'index' numbers the rows and is left out" in caplog.text
    assert f"train on them: pdm run train dataset=csv dataset.path={out}" in caplog.text
    assert "'dataset.controls=[u,v]' 'dataset.targets=[y]'" in caplog.text


def test_units_of_later_files_are_converted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.csv", "time,T,p,n\ns,degC,bar,rpm\n0,0,1,60\n1,10,2,120\n")
    write(tmp_path, "b.csv", "time,T,p,n\nms,K,kPa,rad/s\n0,273.15,100,0\n500,283.15,250,6.283185307179586\n")
    with caplog.at_level(logging.INFO):
        out = run(tmp_path, to_units={"p": "Pa"})
    _, a = case(out / "a.csv")
    units, b = case(out / "b.csv")
    assert units == {"time": "s", "T": "degC", "p": "Pa", "n": "rpm"}
    np.testing.assert_allclose(a, [[0, 0, 1e5, 60], [1, 10, 2e5, 120]])
    np.testing.assert_allclose(b, [[0, 0, 1e5, 0], [0.5, 10, 2.5e5, 60]], atol=1e-10)
    assert "b.csv: 'T' is converted from K to degC" in caplog.text
    assert "b.csv: time is converted from ms to s, where other files have s" in caplog.text


def test_the_least_and_the_largest_value_of_a_column_are_two_columns_without_a_unit(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "time (min),T (min),T (max)\n0,1,2\n1,3,4\n")
    # Also where a line says the unit, into which minutes could be converted.
    write(tmp_path, "b/b.csv", "time,on (min),on (max)\ns,s,s\n0,1,2\n1,3,4\n")
    units, numbers = case(run(tmp_path, source=str(tmp_path / "in" / "a.csv")) / "a.csv")
    assert units == {"time": "s", "T (min)": "", "T (max)": ""}
    assert numbers.tolist() == [[0, 1, 2], [60, 3, 4]]
    run(tmp_path, source=str(tmp_path / "in" / "b"), output=str(tmp_path / "second"))
    assert case(tmp_path / "second" / "b.csv")[0] == {"time": "s", "on (min)": "s", "on (max)": "s"}


def test_modes_of_all_files_get_a_column_each(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t,mode,on\n0,heat,true\n1,cool,true\n")
    write(tmp_path, "b.csv", "t,mode,on\n0,off,false\n1,heat,TRUE\n")
    out = run(tmp_path)
    units, a = case(out / "a.csv")
    assert list(units) == ["t", "mode=heat", "mode=cool", "mode=off", "on"]
    assert a.tolist() == [[0, 1, 0, 0, 1], [1, 0, 1, 0, 1]]
    assert case(out / "b.csv")[1].tolist() == [[0, 0, 0, 1, 0], [1, 1, 0, 0, 1]]
    assert yaml.safe_load((out / "import.yaml").read_text())["keys"]["text"] == {
        "mode": ["heat", "cool", "off"],
        "on": {"false": 0.0, "true": 1.0},
    }


def test_an_import_is_repeated_with_its_map_of_text_and_its_units(tmp_path: Path) -> None:
    """As predict needs it: the new file alone would give other columns."""
    write(tmp_path, "a.csv", "t,mode,T [K]\n0,heat,300\n1,cool,301\n2,off,302\n")
    keys = yaml.safe_load((run(tmp_path) / "import.yaml").read_text())["keys"]
    write(tmp_path, "new/b.csv", "t,mode,T [degC]\n0,off,0\n1,off,1\n")
    kept = {key: keys[key] for key in ("time", "text", "to_units", "ignore")}
    run(tmp_path, source=str(tmp_path / "in" / "new"), output=str(out := tmp_path / "second"), **kept)
    units, numbers = case(out / "b.csv")
    assert units == {"t": "s", "mode=heat": "-", "mode=cool": "-", "mode=off": "-", "T": "K"}
    np.testing.assert_allclose(numbers, [[0, 0, 0, 1, 273.15], [1, 0, 0, 1, 274.15]])


@pytest.mark.parametrize(
    ("how", "expected"),
    [(Duplicates.last, [1, 3, 5]), (Duplicates.first, [1, 2, 5]), (Duplicates.mean, [1, 2.5, 5])],
)
def test_rows_of_one_time_become_one(tmp_path: Path, how: Duplicates, expected: list[float]) -> None:
    write(tmp_path, "a.csv", "t,y\n0,1\n1,2\n1,3\n2,5\n")
    out = run(tmp_path, duplicates=how)
    assert case(out / "a.csv")[1].tolist() == [[t, y] for t, y in enumerate(expected)]
    assert ",1,0,0" in (out / "cases.csv").read_text()


def test_missing_cells_are_filled_or_their_rows_dropped(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t,x,y\n0,1,0\n1,,\n2,3,4\n3,4,nan\n4,5,8\n")
    with pytest.raises(UserError, match="lines 3, 5, column 'y': no number in 3 cells"):
        run(tmp_path)
    out = run(tmp_path, missing=Missing.interpolate)
    assert case(out / "a.csv")[1].tolist() == [[0, 1, 0], [1, 2, 2], [2, 3, 4], [3, 4, 6], [4, 5, 8]]
    out = run(tmp_path, missing=Missing.drop_rows)
    assert case(out / "a.csv")[1].tolist() == [[0, 1, 0], [2, 3, 4], [4, 5, 8]]
    assert ",3,2,,0,0,2" in (out / "cases.csv").read_text()


def test_dates_count_from_the_first_row(tmp_path: Path) -> None:
    write(
        tmp_path, "a.csv", "Datum;Uhrzeit;y\n31.12.2024;23:59:59,5;1\n01.01.2025;00:00:00;2\n01.01.2025;00:00:01,5;3\n"
    )
    out = run(tmp_path)
    assert case(out / "a.csv")[1].tolist() == [[0, 1], [0.5, 2], [2, 3]]
    assert ",2024-12-31T23:59:59.500000," in (out / "cases.csv").read_text()


def test_dates_and_times_of_day_of_a_sheet_over_midnight(tmp_path: Path) -> None:
    moments = [datetime(2024, 5, 1, 23, 59, 59), datetime(2024, 5, 2, 0, 0, 0, 500000), datetime(2024, 5, 2, 0, 0, 2)]
    dates, clocks = [datetime(2024, 5, moment.day) for moment in moments], [moment.time() for moment in moments]
    (tmp_path / "in").mkdir()
    sheet = pd.DataFrame({"Date": dates, "Time": clocks, "p": [1.0, 2.0, 3.0]})
    sheet.to_excel(tmp_path / "in" / "a.xlsx", index=False)
    for keys in ({}, {"time": ["Date", "Time"]}):
        out = run(tmp_path, **keys)
        units, numbers = case(out / "a.csv")
        assert (units, numbers.tolist()) == ({"Date": "s", "p": ""}, [[0, 1], [1.5, 2], [3, 3]])
        assert ",2024-05-01T23:59:59," in (out / "cases.csv").read_text()


def test_a_row_without_its_time_of_day_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "time,p\n10:00:00,1\n,2\n10:00:02,3\n")
    with pytest.raises(UserError, match=r"line 3, column 'time': no time; missing=drop_rows leaves them out"):
        run(tmp_path)
    assert case(run(tmp_path, missing=Missing.drop_rows) / "a.csv")[1].tolist() == [[0, 1], [2, 3]]


def test_a_long_file_is_cut_where_a_column_changes(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "run,t,y\nA,0,1\nA,1,2\nB,5,3\nB,6,4\nB,7,5\nA,9,6\nA,10,7\n")
    out = run(tmp_path, cases_by="run")
    assert sorted(path.name for path in out.iterdir()) == [
        "a_A.csv", "a_A_003.csv", "a_B.csv", "cases.csv", "import.yaml",
    ]  # fmt: skip
    assert case(out / "a_B.csv")[1].tolist() == [[0, 3], [1, 4], [2, 5]]
    rows = [line.split(",") for line in (out / "cases.csv").read_text().splitlines()[1:]]
    assert [(row[0], row[3], row[5]) for row in rows] == [("a_A", "2", ""), ("a_B", "3", "5"), ("a_A_003", "2", "9")]


def test_a_long_file_is_cut_at_gaps_and_by_length(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t,y\n0,1\n1,2\n2,3\n90,4\n91,5\n0,6\n1,7\n")
    out = run(tmp_path, cases_by="gaps")
    assert case(out / "a_002.csv")[1].tolist() == [[0, 4], [1, 5]]
    assert case(out / "a_003.csv")[1].tolist() == [[0, 6], [1, 7]]
    write(tmp_path, "b/b.csv", "t,y\n" + "".join(f"{10 + k},{k}\n" for k in range(7)))
    run(tmp_path, cases_by="3", source=str(tmp_path / "in" / "b"), output=str(out := tmp_path / "cut"))
    assert [case(out / f"b_00{i}.csv")[1][:, 1].tolist() for i in (1, 2)] == [[0, 1, 2], [3, 4, 5]]
    # The last row alone is no case, which is said.
    assert not (out / "b_003.csv").exists()
    assert "line 8: a case of one row is left out" in (out / "import.yaml").read_text()


def test_parameters_become_columns_behind_the_controls(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"{name}.csv", "t,y,u\n0,1,2\n1,3,4\n")
    (tmp_path / "p.csv").write_text("case,d [mm],remark,L (m)\nb,5,x,0.5\na,6,y,0.25\n")
    out = run(tmp_path, controls=["u"], parameters=str(tmp_path / "p.csv"))
    units, numbers = case(out / "a.csv")
    assert units == {"t": "s", "u": "", "d": "mm", "L": "m", "y": ""}
    assert numbers.tolist() == [[0, 2, 6, 0.25, 1], [1, 4, 6, 0.25, 3]]
    record = yaml.safe_load((out / "import.yaml").read_text())
    assert record["columns"]["d"] == {"unit": "mm", "role": "parameter"}
    assert record["files"][1]["cases"][0]["parameters"] == {"d": 5.0, "L": 0.5}
    assert (out / "cases.csv").read_text().splitlines()[0].endswith(",dropped,d,L")


def test_files_in_archives_and_folders_are_told_apart(tmp_path: Path) -> None:
    text = "t,y\n0,1\n1,2\n"
    write(tmp_path, "x/run.csv", text)
    write(tmp_path, "y/run.csv.gz", gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "in" / "z.zip", "w") as archive:
        archive.writestr("deep/run.csv", text)
        archive.writestr("other.csv", text)
        archive.writestr("readme.md", "no table")
    out = run(tmp_path, source=[f"{tmp_path}/in/**/*.csv*", f"{tmp_path}/in/z.zip"], groups=Group.folder)
    names = sorted(path.stem for path in out.glob("*.csv"))
    assert names == ["cases", "deep_run", "other", "x_run", "y_run"]
    groups = [line.split(",")[:2] for line in (out / "cases.csv").read_text().splitlines()[1:]]
    assert groups == [["x_run", "x"], ["y_run", "y"], ["deep_run", "deep"], ["other", "z"]]


def test_parquet_cases_hold_the_same_numbers(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t,u,y\ns,V,bar\n0,0.1,2\n0.1,0.3,1e-7\n")
    csv_case = case(run(tmp_path) / "a.csv")
    out = run(tmp_path, format=CaseFormat.parquet)
    units, numbers = case(out / "a.parquet")
    assert units == csv_case[0] == {"t": "s", "u": "V", "y": "bar"}
    np.testing.assert_array_equal(numbers, csv_case[1])


def test_one_bad_file_stops_the_import_whole_unless_it_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "a.csv", "t,y\n0,1\n1,2\n")
    write(tmp_path, "b.csv", "t,y\n0,1\n1,x\n2,3\n3,4\n")
    with pytest.raises(UserError, match=r"(?s)1 of 2 files cannot be imported:.*b.csv: line 3, column 'y': text 'x'"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    with caplog.at_level(logging.INFO):
        out = run(tmp_path, skip_bad=True)
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "cases.csv", "import.yaml"]
    assert "left out:\n" in caplog.text


def test_foreign_files_in_the_output_are_never_removed(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t,y\n0,1\n1,2\n")
    out = run(tmp_path)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes.txt was not made by the import"):
        run(tmp_path, overwrite=True)
    (out / "notes.txt").unlink()
    write(tmp_path, "other/a.csv", "t,y\n0,1\n1,2\n")
    with pytest.raises(UserError, match="holds the import of other files"):
        run(tmp_path, source=str(tmp_path / "in" / "other"))
    run(tmp_path, source=str(tmp_path / "in" / "other"), overwrite=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.csv").write_text("x")
    with pytest.raises(UserError, match="holds files that no import made"):
        run(tmp_path, output=str(mine), overwrite=True)
    assert (mine / "a.csv").read_text() == "x"


def test_a_dry_run_shows_the_guesses_and_writes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.csv", "t [ms];mode;p [bar]\n0;EIN;1,5\n100;AUS;1,6\n200;AUS;1,7\n")
    write(tmp_path, "b.csv", "t [ms];mode;q [bar]\n0;EIN;1,5\n100;AUS;1,6\n")
    with caplog.at_level(logging.INFO):
        run(tmp_path, dry_run=True, output=None)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    table = [line.split() for line in caplog.text.splitlines()]
    assert ["t", "ms", "time", "seconds", "0", "100", "200"] in table
    assert ["mode", "-", "?", "aus=0,", "ein=1", "EIN", "AUS", "AUS"] in table
    assert ["p", "bar", "?", "1.5", "1.6", "1.7"] in table
    assert "would be refused:\n" in caplog.text
    assert "b.csv: missing columns 'p'" in caplog.text


def test_line_breaks_in_names_are_blanks_in_cases(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"時刻\n[s]": [0.0, 1, 2], "冷媒\n温度[℃]": [1.5, 2, 2.5], "運転\nモード": ["A\n1", "B", "C"]})
    (tmp_path / "in").mkdir()
    frame.to_excel(tmp_path / "in" / "a.xlsx", index=False)
    with caplog.at_level(logging.INFO):
        out = run(tmp_path)
    units, numbers = case(out / "a.csv")
    assert units == {
        "時刻": "s",
        "冷媒 温度": "℃",
        **dict.fromkeys([f"運転 モード={m}" for m in ("A 1", "B", "C")], "-"),
    }
    assert numbers.tolist() == [[0, 1.5, 1, 0, 0], [1, 2, 0, 1, 0], [2, 2.5, 0, 0, 1]]
    assert "line breaks in the names '時刻 [s]', '冷媒 温度[℃]', '運転 モード' are taken as blanks" in caplog.text
    pd.DataFrame({"t": [0.0, 1], "a b": [1.0, 2], "a\nb": [1.0, 2]}).to_excel(tmp_path / "in" / "a.xlsx", index=False)
    with pytest.raises(UserError, match=r"a.xlsx.*: several columns have the name 'a b'"):
        run(tmp_path, overwrite=True)


def test_the_table_of_cases_is_no_case(tmp_path: Path) -> None:
    from surrogate_modeling.cases.folder import list_case_files

    write(tmp_path, "a.csv", "t,y\n0,1\n1,2\n")
    out = run(tmp_path)
    assert [path.name for path in list_case_files(out)] == ["a.csv"]
    assert parse_case(out / "a.csv", (out / "a.csv").read_bytes()).time_name == "t"


def test_texts_of_missing_cells_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "t;x;mode\n0;1,5;Bad\n1;OL;a\n2;2,5;b\n3;3,5;b\n")
    pd.DataFrame({"t": [0.0, 1, 2], "x": [1.5, "OL", 2.5], "mode": ["a", "Bad", "b"]}).to_excel(
        tmp_path / "in" / "b.xlsx", index=False
    )
    with pytest.raises(
        UserError, match=r"line 3, column 'x': text 'OL' where a number is expected.*'no_number=\[OL\]'"
    ):
        run(tmp_path)
    out = run(tmp_path, no_number=["OL", "bad"], missing=Missing.drop_rows)
    assert case(out / "a.csv")[1].tolist() == [[2, 2.5, 1], [3, 3.5, 1]]
    assert case(out / "b.csv")[1].tolist() == [[0, 1.5, 0], [2, 2.5, 1]]
