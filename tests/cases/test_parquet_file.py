"""Parquet cases are read as CSV cases are, and refused for the same reasons."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import read, refused

from surrogate_modeling.cases.case_file import CaseFileError
from surrogate_modeling.cases.parquet_file import write_parquet
from surrogate_modeling.cases.parsing import parse_file
from surrogate_modeling.cases.writer import write_case

COLUMNS = {"u": "V", "T/out": "°C", "圧力": "bar"}
TIME = np.arange(30) * 0.5
VALUES = np.random.default_rng(0).normal(size=(30, 3))


def test_a_folder_of_parquet_gives_the_cases_of_a_folder_of_csv(tmp_path: Path) -> None:
    for name in ("csv", "parquet"):
        (tmp_path / name).mkdir()
    for i in range(2):
        write_case(tmp_path / "csv" / f"c{i}.csv", COLUMNS, TIME, VALUES + i, "t")
        write_parquet(tmp_path / "parquet" / f"c{i}.parquet", COLUMNS, TIME, VALUES + i, "t")
    expected = read(tmp_path / "csv", controls=1)
    for _ in range(2):  # the second time from the cache
        found = read(tmp_path / "parquet", controls=1, pattern="*.parquet")
        assert found.channels == expected.channels
        for ours, theirs in zip(found.cases, expected.cases, strict=True):
            assert ours.name == theirs.name
            np.testing.assert_array_equal(ours.time, theirs.time)
            np.testing.assert_array_equal(ours.values, theirs.values)


def test_ignored_columns_may_hold_text_and_are_not_read(tmp_path: Path) -> None:
    fields = [pa.field(name, kind, metadata={b"unit": unit}) for name, kind, unit in
              (("t", pa.float64(), b"s"), ("note", pa.string(), b""), ("y", pa.int32(), b"m"))]  # fmt: skip
    pq.write_table(pa.table([[0.0, 1.0], ["a", "b"], [3, 4]], schema=pa.schema(fields)), tmp_path / "a.parquet")
    body = (tmp_path / "a.parquet").read_bytes()
    case = parse_file(tmp_path / "a.parquet", body, ignored=lambda name: name == "note")
    assert (case.names, case.units, case.ignored, case.numbers) == (("y",), ("m",), ("note",), (3,))
    assert case.values.tolist() == [[3], [4]]
    with pytest.raises(CaseFileError, match=r"a.parquet: column 2 \('note'\): string, not numbers"):
        parse_file(tmp_path / "a.parquet", body)


def test_refusals_name_file_row_and_column(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 cut")
    write_parquet(tmp_path / "back.parquet", {"u": "V", "y": "V"}, np.array([0.0, 2.0, 1.0]), np.ones((3, 2)))
    write_parquet(tmp_path / "nan.parquet", {"u": "V", "y": "V"}, TIME[:3], np.array([[1, 2], [3, np.nan], [5, 6.0]]))
    pq.write_table(pa.table({"t": [0.0, 1.0], "y": [1.0, 2.0]}), tmp_path / "plain.parquet")
    said = refused(tmp_path, pattern="*.parquet", controls=1)
    assert "back.parquet: row 3, column 1 ('time'): time does not increase" in said
    assert "cut.parquet: not a Parquet file" in said
    assert "nan.parquet: row 2, column 3 ('y'): no number" in said
    assert "plain.parquet: line 2, column 1 ('t'): time must be in seconds (unit 's'), the unit is ''" in said
    body = (tmp_path / "nan.parquet").read_bytes()
    assert np.isnan(parse_file(tmp_path / "nan.parquet", body, full_columns=["u"]).values[1, 1])
