"""MATLAB files of version 5, written by scipy, and of version 7.3, written by h5py as MATLAB does."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.matlab import read_mat

T = np.arange(5.0)


def one(path: Path, **options: object) -> RawTable:
    (table,) = read_mat(path, ReadOptions(**options))  # type: ignore[arg-type]
    return table


def saved(path: Path, **variables: object) -> Path:
    savemat(path, variables, do_compression=True)
    return path


def test_arrays_and_scalars(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", time=T[:, None], p=2 * T, y=np.column_stack((T, 3 * T)), volume=3.0, who="me")
    table = one(path)
    assert list(table.frame) == ["time", "p", "y_1", "y_2"]
    assert table.frame["y_2"].tolist() == [0, 3, 6, 9, 12]
    assert (table.parameters, table.time) == ({"volume": 3.0}, "time")
    assert table.remarks == ("texts beside the arrays are left out: 'who'",)


def test_a_matrix_with_names_and_units(tmp_path: Path) -> None:
    names, units = (np.array(texts, dtype=object) for texts in (["t", "p", "T"], ["s", "bar", "degC"]))
    table = one(saved(tmp_path / "a.mat", data=np.column_stack((T, 2 * T, 3 * T)), names=names, units=units))
    assert table.frame["T"].tolist() == [0, 3, 6, 9, 12]
    assert table.units == {"t": "s", "p": "bar", "T": "degC"}
    assert table.time == "t"


def test_a_struct_with_units_of_its_own(tmp_path: Path) -> None:
    struct = {"time": T, "p": 2 * T, "units": {"p": "bar", "time": "s"}, "area": 0.5}
    table = one(saved(tmp_path / "a.mat", run=struct))
    assert sorted(table.frame) == ["p", "time"]
    assert table.units == {"p": "bar", "time": "s"}
    assert (table.parameters, table.remarks, table.part) == ({"area": 0.5}, (), "")


def test_arrays_of_structs_and_cells_are_cases(tmp_path: Path) -> None:
    runs = [{"t": T[:3], "x": T[:3], "load": 1.0}, {"t": T, "x": 2 * T, "load": 2.0}]
    cells = np.empty(2, dtype=object)
    cells[:] = runs
    structs = np.array([tuple(run.values()) for run in runs], dtype=[("t", "O"), ("x", "O"), ("load", "O")])
    for variable in (cells, structs):
        first, second = read_mat(saved(tmp_path / "a.mat", runs=variable), ReadOptions())
        assert (first.part, second.part) == ("runs[1]", "runs[2]")
        assert second.frame["x"].tolist() == [0, 2, 4, 6, 8]
        assert second.parameters == {"load": 2.0}
        assert len(one(tmp_path / "a.mat", parts=("runs[1]",)).frame) == 3


def test_structure_with_time_of_simulink(tmp_path: Path) -> None:
    signals = [{"values": 2 * T, "label": "speed", "dimensions": 1.0},
               {"values": np.column_stack((T, 3 * T)), "label": "", "dimensions": 2.0}]  # fmt: skip
    table = one(saved(tmp_path / "a.mat", logged={"time": T, "signals": signals, "blockName": "model/scope"}))
    assert list(table.frame) == ["time", "speed", "signal2_1", "signal2_2"]
    assert table.frame["speed"].tolist() == [0, 2, 4, 6, 8]


def test_time_series_are_columns_of_one_table(tmp_path: Path) -> None:
    series = {"p": {"Time": T, "Data": 2 * T, "Units": "bar"}, "T": {"Time": T, "Data": 3 * T, "Name": "T out"}}
    table = one(saved(tmp_path / "a.mat", **series, area=1.0))
    assert list(table.frame) == ["time", "p", "T"]
    assert table.frame["T"].tolist() == [0, 3, 6, 9, 12]
    assert (table.units, table.parameters, table.time, table.remarks) == ({"p": "bar"}, {"area": 1.0}, "time", ())


def test_time_series_of_several_rates_are_put_on_the_densest(tmp_path: Path) -> None:
    slow = {"time": np.array([0.0, 2.0, 4.0]), "data": np.array([0.0, 20.0, 40.0])}
    path = saved(tmp_path / "a.mat", p={"time": T, "data": T}, slow=slow)
    table = one(path)
    assert table.frame["slow"].tolist() == [0, 10, 20, 30, 40]
    assert "2 channels with steps of 1, 2 s are put on the rows of the densest channel, 'p'" in table.remarks[0]
    assert one(path, step=0.5).frame["p"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]


def file_73(path: Path) -> h5py.File:
    """A file of version 7.3, with the header that MATLAB writes before HDF5."""
    h5py.File(path, "w", userblock_size=512).close()
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\0\2IM")
    return h5py.File(path, "r+")


def put(group: h5py.Group, name: str, values: np.ndarray, kind: str = "double") -> None:
    """An array as MATLAB stores it: two dimensions in reverse, its class as an attribute."""
    group[name] = np.atleast_2d(values)
    group[name].attrs["MATLAB_class"] = np.bytes_(kind)


def test_version_73(tmp_path: Path) -> None:
    with file_73(tmp_path / "a.mat") as file:
        run = file.create_group("run")
        run.attrs["MATLAB_class"] = np.bytes_("struct")
        put(run, "time", T)
        put(run, "y", np.stack((T, 2 * T)))
        put(run, "on", np.array([1, 0, 1, 1, 0], "u1"), "logical")
        put(run, "area", np.array([0.5]))
        put(run, "who", np.array([[ord("m")], [ord("e")]], "u2"), "char")
        put(file, "#refs#/a", np.array([[1.0]]))
    table = one(tmp_path / "a.mat")
    assert sorted(table.frame) == ["on", "time", "y_1", "y_2"]
    assert table.frame["y_2"].tolist() == [0, 2, 4, 6, 8]
    assert table.frame["on"].tolist() == [1, 0, 1, 1, 0]
    assert table.parameters == {"area": 0.5}


def test_cells_and_arrays_of_structs_of_version_73(tmp_path: Path) -> None:
    with file_73(tmp_path / "a.mat") as file:
        for i in (1, 2):
            put(file, f"#refs#/t{i}", T)
            put(file, f"#refs#/x{i}", i * T)
        for i, text in enumerate(("t", "x")):
            put(file, f"#refs#/n{i}", np.array([[ord(text)]], "u2"), "char")
        references = h5py.special_dtype(ref=h5py.Reference)
        for name in ("t", "x"):
            cells = [[file[f"#refs#/{name}1"].ref], [file[f"#refs#/{name}2"].ref]]
            file.create_dataset(f"runs/{name}", data=np.array(cells, dtype=references), dtype=references)
        put(file, "m/data", np.stack((T, 5 * T)))
        texts = np.array([[file["#refs#/n0"].ref, file["#refs#/n1"].ref]], dtype=references)
        file.create_dataset("m/names", data=texts, dtype=references).attrs["MATLAB_class"] = np.bytes_("cell")
    matrix = one(tmp_path / "a.mat", parts=("m",))
    assert matrix.frame["x"].tolist() == [0, 5, 10, 15, 20]
    cases = read_mat(tmp_path / "a.mat", ReadOptions(parts=("runs",)))
    assert [(case.part, case.frame["x"].tolist()[-1]) for case in cases] == [("runs[1]", 4.0), ("runs[2]", 8.0)]


def test_objects_of_matlab_are_refused(tmp_path: Path) -> None:
    with file_73(tmp_path / "a.mat") as file:
        put(file, "T", np.zeros((1, 6), "u4"), "table")
        file["T"].attrs["MATLAB_object_decode"] = 3
    with pytest.raises(BadFile, match=r"a\.mat: variable 'T' is a MATLAB table, which only MATLAB.*parquetwrite"):
        read_mat(tmp_path / "a.mat", ReadOptions())


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"a\.mat: array 'p' has the shape \(3,\), but 'time' has 5 rows"):
        read_mat(saved(tmp_path / "a.mat", time=T, p=T[:3]), ReadOptions())
    with pytest.raises(BadFile, match=r"a\.mat: no arrays of numbers"):
        read_mat(saved(tmp_path / "a.mat", p=1.0), ReadOptions())
    (tmp_path / "b.mat").write_bytes(b"time,p\n0,1\n" * 30)
    with pytest.raises(BadFile, match=r"b\.mat: no MATLAB file that can be read"):
        read_mat(tmp_path / "b.mat", ReadOptions())
    path = saved(tmp_path / "c.mat", time=T, p=T)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadFile, match=r"c\.mat: no MATLAB file that can be read"):
        read_mat(path, ReadOptions())
