"""Exports of every format, as the tools' own writers make them, become the same cases; slow: and are trained on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import yaml
from builders import PROJECT_ROOT, TRAIN, lag, run_command
from modelica_files import write_result
from scipy.io import savemat

from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import list_case_files, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.importing.run import import_files

IMPORT = [str(PROJECT_ROOT / "src" / "surrogate_modeling" / "import_cases.py")]
NAMES, UNITS = ("valve", "load", "T", "p"), ("1", "kW", "degC", "bar")
COUNT, ROWS, STEP = 4, 60, 0.5
TIME = STEP * np.arange(ROWS)


def plant(i: int) -> np.ndarray:
    """(ROWS, 4): two controls in steps, a lag of the first, a lag of both times the volume i + 1."""
    rng = np.random.default_rng(i)
    valve, load = (np.repeat(rng.uniform(0, 1, ROWS // 10), 10) for _ in range(2))
    return np.column_stack((valve, load, 20 + 5 * lag(valve, 5), 1 + (i + 1) * lag(valve + load, 8)))


def frame(i: int) -> pd.DataFrame:
    return pd.DataFrame({"time": TIME, **dict(zip(NAMES, plant(i).T, strict=True))})


def excel(folder: Path) -> None:
    """All runs in one workbook, units under the names."""
    with pd.ExcelWriter(folder / "runs.xlsx") as book:
        for i in range(COUNT):
            rows = [["s", *UNITS], *frame(i).to_numpy().tolist()]
            pd.DataFrame(rows, columns=["time", *NAMES]).to_excel(book, sheet_name=f"run{i}", index=False)


def parquet(folder: Path) -> None:
    units = dict(zip(("time", *NAMES), ("s", *UNITS), strict=True))
    for i in range(COUNT):
        fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, unit in units.items()]
        pq.write_table(pa.Table.from_pandas(frame(i), pa.schema(fields)), folder / f"run{i}.parquet")


def feather_files(folder: Path) -> None:
    for i in range(COUNT):
        feather.write_feather(frame(i), folder / f"run{i}.feather")


def hdf5(folder: Path) -> None:
    """All runs in one file, a group each."""
    with h5py.File(folder / "runs.h5", "w") as file:
        for i in range(COUNT):
            group = file.create_group(f"run{i}")
            group["time"] = TIME
            group["time"].attrs["unit"] = "s"
            for name, unit, values in zip(NAMES, UNITS, plant(i).T, strict=True):
                group[name] = values
                group[name].attrs["unit"] = unit
            group.attrs["volume"] = float(i + 1)


def matlab(folder: Path) -> None:
    for i in range(COUNT):
        run = {"time": TIME, **dict(zip(NAMES, plant(i).T, strict=True)), "volume": float(i + 1)}
        savemat(folder / f"run{i}.mat", {"run": {**run, "units": dict(zip(NAMES, UNITS, strict=True))}})


def matlab_73(folder: Path) -> None:
    for i in range(COUNT):
        path = folder / f"run{i}.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in zip(("time", *NAMES), (TIME, *plant(i).T), strict=True):
                file[name] = values[None]
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
            file["volume"] = [[float(i + 1)]]
            file["volume"].attrs["MATLAB_class"] = np.bytes_("double")
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def modelica(folder: Path, transposed: bool = True) -> None:
    """With an event at the end: two rows of the last time."""
    for i in range(COUNT):
        table = np.column_stack((TIME, plant(i)))
        variables = [("time", "Time in [s]", 0, 1), ("volume", "Volume [l]", 1, 2)]
        variables += [
            (name, f"Some text [{unit}]", 2, j + 2) for j, (name, unit) in enumerate(zip(NAMES, UNITS, strict=True))
        ]
        constants = np.array([[0.0, i + 1.0], [TIME[-1], i + 1.0]])
        write_result(folder / f"run{i}_res.mat", variables, [constants, np.vstack((table, table[-1:]))], transposed)


def modelica_by_rows(folder: Path) -> None:
    modelica(folder, transposed=False)


def mdf(folder: Path, version: str = "4.10") -> None:
    """Controls at the rate of the outputs, the first in a group of its own."""
    asammdf = pytest.importorskip("asammdf")
    for i in range(COUNT):
        signals = [
            asammdf.Signal(np.ascontiguousarray(values), TIME, unit=unit, name=name)
            for name, unit, values in zip(NAMES, UNITS, plant(i).T, strict=True)
        ]
        volume = asammdf.Signal(np.array([i + 1.0]), np.array([0.0]), unit="l", name="volume")
        with asammdf.MDF(version=version) as file:
            for group in ([signals[0]], signals[1:], [volume]):
                file.append(group)
            file.save(folder / f"run{i}.{'mf4' if version > '4' else 'dat'}", overwrite=True)


def mdf_3(folder: Path) -> None:
    """``.dat``, as older recorders name it; asammdf writes ``.mdf``."""
    mdf(folder, "3.30")
    for path in folder.glob("*.mdf"):
        path.rename(path.with_suffix(".dat"))


def fmi(folder: Path) -> None:
    """Results of FMPy: quoted names, no units, indices in brackets."""
    fmpy = pytest.importorskip("fmpy.util")
    for i in range(COUNT):
        result = np.rec.fromarrays([TIME, *plant(i).T], names=["time", "valve", "load", "T", "p"])
        fmpy.write_csv(folder / f"run{i}.csv", np.asarray(result))


@dataclass(frozen=True)
class Export:
    """A writer, and what its format says: the units of the columns, and the volume of each run."""

    write: Callable[[Path], None]
    units: tuple[str, ...] = UNITS
    volume: bool = False
    keys: dict[str, object] = field(default_factory=dict)


EXPORTS = {
    "excel": Export(excel),
    "parquet": Export(parquet),
    "feather": Export(feather_files, ("", "", "", "")),
    "hdf5": Export(hdf5, volume=True),
    "matlab": Export(matlab, volume=True),
    "matlab73": Export(matlab_73, ("", "", "", ""), volume=True),
    "modelica": Export(modelica, volume=True),
    "modelica by rows": Export(modelica_by_rows, volume=True),
    "mdf4": Export(mdf, volume=True),
    "mdf3": Export(mdf_3, volume=True),
    "fmi": Export(fmi, ("", "", "", "")),
}


# The two versions of measurement files are read by one module.
TWINS = {"mdf3"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in TWINS else ()) for n in EXPORTS])
def test_every_export_becomes_the_same_cases(tmp_path: Path, name: str) -> None:
    export = EXPORTS[name]
    (tmp_path / "in").mkdir()
    export.write(tmp_path / "in")
    import_files(
        ImportConfig(
            source=str(tmp_path / "in"), output=str(tmp_path / "out"), controls=["valve", "load"], workers=1,
            progress_bar=False,
        )  # type: ignore[arg-type]
    )  # fmt: skip
    out = tmp_path / "out"
    controls = ["valve", "load", *(["volume"] if export.volume else [])]
    case_set = read_cases(out, Roles(controls), Grid(STEP, 5.0), 11)
    assert len(case_set.cases) == COUNT
    found = case_set.channels.controls, case_set.channels.predicted
    # HDF5 keeps its datasets by the alphabet.
    assert (set(found[0]), set(found[1])) == (set(controls), {"T", "p"})
    for i, case in enumerate(case_set.cases):
        assert f"run{i}" in case.name
        truth = dict(zip(NAMES, plant(i).T, strict=True)) | {"volume": np.full(ROWS, i + 1.0)}
        for position, name in enumerate((*found[0], *found[1])):
            np.testing.assert_allclose(case.column(position), truth[name], rtol=1e-6)
        np.testing.assert_allclose(case.time, TIME, atol=1e-9)
    units = [case_set.channels.units[column].replace("-", "1") for column in NAMES]
    assert units == [unit.replace("-", "1") for unit in export.units]
    record = yaml.safe_load((out / "import.yaml").read_text())
    assert set(record["keys"]) >= {"source", "output"}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_is_imported_and_trained_on(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    EXPORTS[name].write(tmp_path / "in")
    done = run_command(tmp_path, IMPORT, "source=in", "output=out", "controls=[valve,load]")
    assert done.returncode == 0, done.stderr
    assert len(list_case_files(tmp_path / "out")) == COUNT
    arguments = ["dataset=csv", "dataset.path=out", "dataset.controls=2"]
    debug = ["model=ssm", "settings=quick", "settings.is_debug=True", f"settings.decimate_range={STEP}"]
    done = run_command(tmp_path, [str(TRAIN)], *arguments, *debug, f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
