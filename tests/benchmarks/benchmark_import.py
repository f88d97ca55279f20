"""Seconds that an import takes, against the strict reader of cases, and CSV against Parquet cases, in one run.

    python tests/benchmarks/benchmark_import.py [files, default 20]

The files are simulator exports of 33,000 rows and 62 columns with their own separator (a semicolon), so that all of the
importer's work is done: guesses, conversion, checks, and the cases written. What it writes is then read by the strict
reader, without its cache of cases read before. Values read from both formats are compared.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from measure import seconds

import surrogate_modeling.cases.folder as folder_module
from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import Reading, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.config.import_keys import CaseFormat, ImportConfig
from surrogate_modeling.importing.run import import_files

ROWS, COLUMNS, CONTROLS = 33_000, 62, 6


def write_exports(folder: Path, count: int) -> None:
    """Write exports of 0.1 s steps: one table of smooth signals, cyclically shifted for every file."""
    folder.mkdir()
    table = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).cumsum(0).round(6)
    names = [f"signal {i} [{unit}]" for i, unit in zip(range(COLUMNS), ["K", "bar", "kg/s"] * COLUMNS, strict=False)]
    for number in range(count):
        columns = [np.arange(ROWS) / 10, *np.roll(table, number, axis=1).T]
        content = pa.table([np.ascontiguousarray(column) for column in columns], ["time [s]", *names])
        options = pyarrow.csv.WriteOptions(delimiter=";")
        pyarrow.csv.write_csv(content, folder / f"run{number:04d}.csv", options)


def read_strictly(folder: Path, kind: str, scratch: Path) -> CaseSet:
    """Read cases with an empty cache."""
    folder_module.CACHE_FOLDER = scratch / "cache"
    shutil.rmtree(folder_module.CACHE_FOLDER, ignore_errors=True)
    return read_cases(folder, Roles(CONTROLS), Grid(1.0, 5.0), 11, Reading(f"*.{kind}", progress_bar=False))


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        write_exports(scratch / "exports", count)
        megabytes = sum(file.stat().st_size for file in (scratch / "exports").iterdir()) / 1e6
        read: dict[str, CaseSet] = {}
        taken: dict[str, float] = {}
        for form in CaseFormat:
            kind, cases = form.value, scratch / form.value
            config = ImportConfig(
                source=str(scratch / "exports"), output=str(cases), format=form, controls=CONTROLS, progress_bar=False
            )
            taken[f"import to {kind}"] = seconds(lambda config=config: import_files(config))

            def reading(cases: Path = cases, kind: str = kind) -> None:
                read[kind] = read_strictly(cases, kind, scratch)

            taken[f"read {kind}"] = seconds(reading)
        for one, other in zip(read["csv"].cases, read["parquet"].cases, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
    cores = os.cpu_count()
    print(f"{count} files of {ROWS:,} rows x {COLUMNS} columns, {megabytes:.0f} MB of text, on {cores} cores")
    for name, wall in taken.items():
        against = wall / taken["read csv"]
        print(f"{name:20}{wall:8.2f} s  {1e3 * wall / count:7.0f} ms a file  {against:5.2f} times the reading of CSV")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
