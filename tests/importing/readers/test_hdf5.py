"""HDF5 files, written by h5py: groups as cases, tables of records, arrays with named columns, and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.hdf5 import read_hdf5

T = np.arange(5.0)


def one(path: Path, **options: object) -> RawTable:
    (table,) = read_hdf5(path, ReadOptions(**options))  # type: ignore[arg-type]
    return table


def test_datasets_of_the_root_are_columns(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["time"] = T
        file["time"].attrs["units"] = "s"
        file["p"] = (2 * T).astype("f4")
        file["p"].attrs["unit"] = np.bytes_(b"bar")
        file["mode"] = [b"on", b"off", b"on", b"on", b"off"]
        file["volume"] = 3.0
        file["volume"].attrs["unit"] = "l"
        file["comment"] = "a run"
        file.attrs["ambient"] = 25
    table = one(tmp_path / "a.h5")
    assert sorted(table.frame) == ["mode", "p", "time"]
    assert table.frame["p"].tolist() == [0, 2, 4, 6, 8]
    assert table.frame["p"].dtype == np.float64
    assert table.frame["mode"].tolist() == ["on", "off", "on", "on", "off"]
    assert table.units == {"time": "s", "p": "bar"}
    assert table.parameters == {"volume": 3.0, "ambient": 25.0}
    assert table.parameter_units == {"volume": "l"}
    assert (table.time, table.remarks) == ("time", ("texts beside the arrays are left out: 'comment'",))


def test_groups_are_cases_and_inherit_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["sample_rate"] = 10.0
        for i in (1, 2):
            group = file.create_group(f"runs/run{i}")
            group["t"] = T[: 3 + i]
            group["signals/x"] = i * T[: 3 + i]
            group.attrs["load"] = 7 * i
    first, second = read_hdf5(tmp_path / "a.h5", ReadOptions())
    assert (first.part, second.part, second.source) == ("runs/run1", "runs/run2", f"{tmp_path / 'a.h5'} [runs/run2]")
    assert second.frame["signals/x"].tolist() == [0, 2, 4, 6, 8]
    assert second.parameters == {"sample_rate": 10.0, "load": 14.0}
    assert first.time == "t"
    assert len(one(tmp_path / "a.h5", parts=("runs/run1",)).frame) == 4
    with pytest.raises(BadFile, match="parts: 'run1' is not in the file"):
        read_hdf5(tmp_path / "a.h5", ReadOptions(parts=("run1",)))


def test_a_table_of_records(tmp_path: Path) -> None:
    records = np.zeros(5, dtype=[("time", "f8"), ("n", "i4"), ("mode", "S3")])
    records["time"], records["n"], records["mode"] = T, [1, 2, 3, 4, 5], b"on"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["log"] = records
        file["log"].attrs["units"] = ["s", "rpm", ""]
    table = one(tmp_path / "a.h5")
    assert list(table.frame) == ["time", "n", "mode"]
    assert table.frame["n"].tolist() == [1, 2, 3, 4, 5]
    assert table.frame["mode"].tolist() == ["on"] * 5
    assert (table.units, table.time) == ({"time": "s", "n": "rpm"}, "time")


def test_an_array_with_named_columns(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.column_stack((T, 2 * T, 3 * T))
        file["data"].attrs["columns"] = ["time", "p", "T"]
        file["data"].attrs["units"] = ["s", "bar", "K"]
    table = one(tmp_path / "a.h5")
    assert table.frame["T"].tolist() == [0, 3, 6, 9, 12]
    assert (table.units, table.time) == ({"time": "s", "p": "bar", "T": "K"}, "time")


def test_an_array_without_names_is_numbered_and_turned(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["time"] = T
        file["y"] = np.stack((T, 2 * T))
    table = one(tmp_path / "a.h5")
    assert list(table.frame) == ["time", "y_1", "y_2"]
    assert table.frame["y_2"].tolist() == [0, 2, 4, 6, 8]
    assert table.remarks == ("array 'y' was transposed: its second dimension has the rows",)


def write_broken(path: Path, kind: str) -> None:
    with h5py.File(path, "w") as file:
        file["time"] = T
        if kind == "length":
            file["p"] = T[:3]
        elif kind == "cube":
            file["p"] = np.zeros((5, 2, 3))
        elif kind == "complex":
            file["p"] = T * 1j
        elif kind == "pandas":
            file.create_group("df").attrs["pandas_type"] = "frame_table"
        elif kind == "scalars":
            del file["time"]
            file["p"] = 1.0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("length", r"array 'p' has the shape \(3,\), but 'time' has 5 rows"),
        ("cube", r"array 'p' has 3 dimensions \(5, 2, 3\)"),
        ("complex", r"array 'p': complex numbers"),
        ("pandas", r"group '/df' was written by pandas' to_hdf.*to_parquet"),
        ("scalars", r"no arrays of numbers"),
    ],
)
def test_refusals(tmp_path: Path, kind: str, message: str) -> None:
    write_broken(tmp_path / "a.h5", kind)
    with pytest.raises(BadFile, match=rf"a\.h5: {message}"):
        read_hdf5(tmp_path / "a.h5", ReadOptions())


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    write_broken(tmp_path / "a.h5", "length")
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:600])
    with pytest.raises(BadFile, match=r"a\.h5: no HDF5 file that can be read"):
        read_hdf5(tmp_path / "a.h5", ReadOptions())
