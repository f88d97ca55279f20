"""Parquet and Feather, written by pandas and pyarrow: values, types, units, the index, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from surrogate_modeling.importing.raw_table import BadFile, ReadOptions
from surrogate_modeling.importing.readers.arrow import read_feather, read_parquet

OPTIONS = ReadOptions()


def test_a_table_of_pandas_with_units_among_its_attributes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": [0.0, 0.5], "p": np.array([1, 2], "int32"), "mode": pd.Categorical(["a", "b"])})
    frame.attrs["units"] = {"time": "s", "p": "bar", "gone": "m"}
    frame.to_parquet(tmp_path / "a.parquet")
    (table,) = read_parquet(tmp_path / "a.parquet", OPTIONS)
    assert table.frame["p"].tolist() == [1.0, 2.0]
    assert table.frame["p"].dtype == np.float64
    assert table.frame["mode"].tolist() == ["a", "b"]
    assert (table.units, table.time) == ({"time": "s", "p": "bar"}, "time")


def test_an_index_of_dates_is_the_time(tmp_path: Path) -> None:
    index = pd.date_range("2024-05-01", periods=3, freq="100ms")
    pd.DataFrame({"p": [1.0, None, 3.0]}, index=index).to_parquet(tmp_path / "a.parquet")
    (table,) = read_parquet(tmp_path / "a.parquet", OPTIONS)
    assert table.time == "index"
    assert table.frame["index"].tolist()[1] == "2024-05-01 00:00:00.100000"
    assert np.isnan(table.frame["p"][1])


def test_lengths_of_time_are_seconds(tmp_path: Path) -> None:
    index = pd.to_timedelta([0, 1500], unit="ms").rename("elapsed")
    pd.DataFrame({"p": [1.0, 2.0]}, index=index).to_feather(tmp_path / "a.feather")
    (table,) = read_feather(tmp_path / "a.feather", OPTIONS)
    assert table.frame["elapsed"].tolist() == [0.0, 1.5]
    assert (table.time, table.units) == ("elapsed", {"elapsed": "s"})


def test_units_of_fields_and_of_the_file(tmp_path: Path) -> None:
    schema = pa.schema(
        [pa.field("t", pa.float32(), metadata={"unit": "ms"}), pa.field("p", pa.decimal128(5, 2))],
        metadata={"units": '{"p": "bar"}'},
    )
    content = pa.table({"t": pa.array([0, 1], pa.float32()), "p": pa.array([1, 2], pa.decimal128(5, 2))}, schema)
    feather.write_feather(content, tmp_path / "a.feather")
    pq.write_table(content, tmp_path / "a.parquet")
    for table in (*read_feather(tmp_path / "a.feather", OPTIONS), *read_parquet(tmp_path / "a.parquet", OPTIONS)):
        assert table.units == {"t": "ms", "p": "bar"}
        assert table.frame["p"].tolist() == [1.0, 2.0]
        assert table.time == "t"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0], [2.0]]), r"column 'p': holds lists or records"),
        (pa.array([b"\x00", b"\x01"]), r"column 'p': holds bytes"),
    ],
)
def test_columns_that_are_no_numbers_are_refused(tmp_path: Path, column: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"t": [0.0, 1.0], "p": column}), tmp_path / "a.parquet")
    with pytest.raises(BadFile, match=rf"a\.parquet: {message}"):
        read_parquet(tmp_path / "a.parquet", OPTIONS)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"p": [1.0]}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadFile, match=r"a\.parquet: no Parquet file that can be read"):
        read_parquet(path, OPTIONS)
    with pytest.raises(BadFile, match=r"a\.parquet: no Feather file that can be read"):
        read_feather(path, OPTIONS)
    pq.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, names=["p", "p"]), path)
    with pytest.raises(BadFile, match=r"a\.parquet: several columns have the name 'p'"):
        read_parquet(path, OPTIONS)
