"""Builders shared by the tests: small synthetic cases of known form, on disk and in memory, and composed configs."""

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import Forked
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from surrogate_modeling.cases import folder as folder_module
from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.cases.case_file import RawCase
from surrogate_modeling.cases.channels import Channels, Roles
from surrogate_modeling.cases.folder import Reading, read_cases
from surrogate_modeling.cases.grid import Grid, GridCase
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT
from surrogate_modeling.config.composition import register_schemas
from surrogate_modeling.surrogate.band import Band
from surrogate_modeling.tracking.database import SQLITE, artifact_root, create_database

# Small tensors gain nothing from threads, and busy machines lose minutes to them; commands under test inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

NAMES = ("valve", "load", "T", "p")
UNITS = ("-", "kW", "degC", "bar")
CONTROLS = 2
TRAIN = PROJECT_ROOT / "src" / "surrogate_modeling" / "train.py"


def lag(control: np.ndarray, rows: float, start: float = 0.0) -> np.ndarray:
    """First-order lag with a time constant in rows: y[t] = k y[t-1] + (1 - k) u[t], k = exp(-1 / rows)."""
    keep, state, states = np.exp(-1.0 / rows), start, []
    for value in control:
        state = keep * state + (1.0 - keep) * value
        states.append(state)
    return np.array(states)


def smooth_values(rows: int, seed: int = 0) -> np.ndarray:
    """(rows, 4): a stepped and a waving control, a lag of the first, and a lag of both."""
    rng = np.random.default_rng(seed)
    valve = np.repeat(rng.uniform(0, 1, rows // 10 + 1), 10)[:rows]
    load = 5.0 + np.sin(np.arange(rows) / rng.uniform(4, 12))
    return np.column_stack((valve, load, 20.0 + 5.0 * lag(valve, 5), 1.0 + lag(valve, 15) + 0.1 * lag(load, 50)))


def make_case(name: str = "case", rows: int = 40, seed: int = 0, step: float = 1.0) -> Case:
    """A case in memory."""
    return Case(name, step * np.arange(rows), smooth_values(rows, seed).astype(np.float32), make_channels())


def make_channels(targets: Sequence[str] | None = None) -> Channels:
    """The columns of :func:`make_case`."""
    predicted = NAMES[CONTROLS:]
    return Channels(NAMES[:CONTROLS], predicted, tuple(targets or predicted), dict(zip(NAMES, UNITS, strict=True)))


def plain_channels(controls: int, predicted: int) -> Channels:
    """Columns u0, u1, ... and y0, y1, ... without units, all of them targets."""
    names = [f"u{i}" for i in range(controls)], [f"y{i}" for i in range(predicted)]
    return Channels(tuple(names[0]), tuple(names[1]), tuple(names[1]), dict.fromkeys([*names[0], *names[1]], "-"))


def plain_case(name: str, time: np.ndarray, values: np.ndarray, controls: int) -> Case:
    """A case in memory whose columns need no names of their own."""
    return Case(name, time, values, plain_channels(controls, values.shape[1] - controls))


def grid_case(names: Sequence[str], units: Sequence[str], values: np.ndarray) -> GridCase:
    """A case that keeps the rows of its file, one every second."""
    raw = RawCase("time", tuple(names), tuple(units), np.arange(float(len(values))), values, np.arange(len(values)),
                  tuple(range(2, 2 + len(names))))  # fmt: skip
    return GridCase.of(raw, Grid(None, None), "d" * 64)


def case_set_of(cases: Sequence[Case]) -> CaseSet:
    """Cases in memory as a set on a step of one second."""
    return CaseSet(list(cases), cases[0].channels, 1.0, "")


def write_table(
    path: Path,
    time: Sequence[float] | np.ndarray,
    values: np.ndarray,
    names: Sequence[str] = NAMES,
    units: Sequence[str] = UNITS,
) -> Path:
    """One file in the case format, every digit kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("time", *names), ("s", *units)])
        writer.writerows([repr(float(x)) for x in (t, *row)] for t, row in zip(time, values, strict=True))
    return path


def write_cases(folder: Path, count: int = 6, rows: int = 40, step: float = 1.0, longer: int = 5) -> Path:
    """``case0.csv``, ``case1.csv``, ... of :func:`smooth_values`, each ``longer`` rows longer than the one before."""
    for i in range(count):
        length = rows + longer * i
        write_table(folder / f"case{i}.csv", step * np.arange(length), smooth_values(length, seed=i))
    return folder


def read(
    folder: Path,
    controls: int | Sequence[str] = CONTROLS,
    min_rows: int = 11,
    targets: Sequence[str] | None = None,
    grid: Grid | None = None,
    ignore: Sequence[str] = (),
    **options: object,
) -> CaseSet:
    """The cases of a folder on a grid of one second."""
    reading = Reading(**{"workers": 2, "progress_bar": False, **options})  # type: ignore[arg-type]
    return read_cases(folder, Roles(controls, targets, ignore), grid or Grid(1.0, 5.0), min_rows, reading)


def refused(folder: Path, **options: Any) -> str:
    """What is said about a folder of cases that cannot be read."""
    with pytest.raises(UserError) as caught:
        read(folder, **options)
    return str(caught.value)


def composed(*overrides: str) -> DictConfig:
    """The configuration as Hydra composes it from the shipped YAML and overrides."""
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("config", list(overrides))


def write_plant(folder: Path, count: int = 6, rows: int = 60) -> Path:
    """Cases of a first-order lag, with names that test file names."""
    folder.mkdir()
    for i in range(count):
        rng = np.random.default_rng(i)
        control = np.repeat(rng.uniform(0, 1, rows // 10 + 1), 10)[: rows + 5 * i]
        state = np.zeros(len(control))
        for t in range(1, len(control)):
            state[t] = 0.9 * state[t - 1] + 0.1 * control[t]
        with (folder / f"case{i}.v1.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time", "bulb", "T/out", "圧力.a", "fixed"])
            writer.writerow(["s", "-", "degC", "bar", "-"])
            writer.writerows(
                [t, f"{c:.5f}", f"{20 + 5 * s:.5f}", f"{1 + s * s:.5f}", 3]
                for t, (c, s) in enumerate(zip(control, state, strict=True))
            )
    return folder


def run_command(
    tmp_path: Path, command: Sequence[str], *arguments: str, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in ``tmp_path``, with a store of its own there, for at most some seconds."""
    return run_python([*command, *arguments], tmp_path, command_environment(tmp_path), seconds)


def command_environment(folder: Path) -> dict[str, str]:
    """Environment of a command of ours on one thread, with a store of its own in a folder."""
    return {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "OMP_NUM_THREADS": "1"}


def run_python(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run ``python <arguments>`` in a folder, forked from a process that has the heavy libraries where that can be."""
    command = [sys.executable, *arguments]
    if not hasattr(os, "fork"):
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=timeout)
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("out", "err")]
        forked = Forked(arguments, folder, environment, files)
        if (code := forked.wait(timeout)) is None:
            forked.kill_with_children()
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, code, *(file.read_text(encoding="utf-8") for file in files))


def empty_store(folder: Path) -> str:
    """Address of a tracking store in a folder, a copy of one that is made once: MLflow takes seconds for its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    uri, file = f"{SQLITE}{folder / 'mlflow.db'}", Path(os.environ["EMPTY_STORE"], "mlflow.db")
    create_database(f"{SQLITE}{file}", artifact_root(uri))
    shutil.copy(file, folder / "mlflow.db")
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ?", (f"{artifact_root(uri)}/0",))
    return uri


@contextmanager
def disk(tmp_path: Path, size: str) -> Iterator[Path]:
    """A disk of its own, as small as wanted; the test is skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip(f"may not mount a small disk: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a disk up to so many bytes; returns the file that does."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return ballast


def read_in_process(folder: Path, cache: Path, start: object, results: object) -> None:
    """Read cases in a process of its own; here because a new process cannot import a file of tests."""
    folder_module.CACHE_FOLDER = cache
    start.wait()  # type: ignore[attr-defined]
    results.put([read(folder).cases[-1].values.tobytes() for _ in range(3)])  # type: ignore[attr-defined]


def make_band(knots: Sequence[float], error: Sequence[Sequence[float]], factor: Sequence[float]) -> Band:
    """Band of 12 cases; of whole trajectories the errors stand at the next knot, and the factors are 3 and 15 times."""
    rows, q = np.array(error, float), np.array(factor, float)
    return Band(np.array(knots, float), rows, q, np.roll(rows, 1, axis=0), 3 * q, 15 * q, 12)
