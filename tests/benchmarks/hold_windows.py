"""Memory of a process that reads so many raw case files and holds their windows, as JSON.

    python tests/benchmarks/hold_windows.py plain|ours CASES [--epoch]

Both forms start from the same files of 33,000 rows. Ours goes the way of ``train.py``, which imports torch and
Lightning when the cases are read. With ``--epoch`` also the seconds of gathering every window once and of one training
epoch of ``don``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from plant import CONTROLS, fitted, make_channels, write_raw_case

from surrogate_modeling.cases import folder as cases
from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.experiment import dataset

if TYPE_CHECKING:
    from surrogate_modeling.training.loaders import WindowData

IN_LEN, STEP = 10, 1.0
# The other names are links to these: half a gigabyte of files, and each is read and decimated for itself all the same.
WRITTEN = 25


def main(form: str, count: int, epoch: bool) -> None:
    """Make them and say what it took."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "raw"
        folder.mkdir()
        # In other processes: what writing takes is not counted.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            written = list(pool.map(write_raw_case, (folder / f"case{i}.csv" for i in range(WRITTEN)), range(WRITTEN)))
        for i in range(WRITTEN, count):
            os.link(written[i % WRITTEN], folder / f"case{i}.csv")
        for path in written[count:]:
            path.unlink()
        # Nothing is known of these files yet, and nothing stays.
        cases.CACHE_FOLDER = Path(place) / "cache"
        result = plain_windows(folder) if form == "plain" else our_windows(folder, epoch)
    # Not getrusage: what a process inherits from the one that started it counts there.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps({"peak_gib": int(peak) / 2**20, **result}))


def plain_windows(folder: Path) -> dict[str, float]:
    """All tables, then all of them decimated, then all windows."""
    # Here, so that their memory is not counted as ours.
    import pandas as pd
    import plain

    tables = [pd.read_csv(path, skiprows=[1]) for path in sorted(folder.iterdir())]
    decimated = [plain.decimate(table, STEP).to_numpy()[:, 1:] for table in tables]
    rows = np.concatenate(decimated)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    parts = [plain.make_windows(values, mean, scale, IN_LEN, CONTROLS) for values in decimated]
    windows = plain.WindowPerItem(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return {"windows": len(windows)}


def our_windows(folder: Path, epoch: bool) -> dict[str, float]:
    """As a run reads them."""
    settings = SettingsConfig(in_len=IN_LEN, decimate_range=STEP, epochs=1, progress_bar=False)
    config = Config(DatasetConfig(path=str(folder), controls=CONTROLS), DonConfig("don"), settings)
    case_set = dataset.load_cases(config)
    read, table = case_set.cases, case_set.table
    from surrogate_modeling.training.loaders import WindowData
    from surrogate_modeling.training.windows import WindowDataset

    scaling = fitted(read)
    windows = WindowDataset(read, scaling, IN_LEN, 1, table=table)
    data = WindowData(windows, WindowDataset(read[:1], scaling, IN_LEN, 1, table=table), settings)
    began = time.perf_counter()
    for _ in data.train_dataloader():
        pass
    result = {"windows": len(windows), "gather_seconds": time.perf_counter() - began}
    if epoch:
        result["epoch_seconds"] = train_epoch(read, data, settings)
    return result


def train_epoch(cases: list[Case], data: WindowData, settings: SettingsConfig) -> float:
    """Seconds of one epoch of ``don`` with Lightning."""
    from surrogate_modeling.surrogate.description import Description
    from surrogate_modeling.surrogate.model import Surrogate
    from surrogate_modeling.training.fit import fit

    surrogate = Surrogate(Description(DonConfig("don"), make_channels(), IN_LEN, 1, 1.0))
    surrogate.scaling.fit(case.values for case in cases)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fit(surrogate, data, cases[:1], settings, Path(folder), lambda _metrics, _epoch: None)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "--epoch" in sys.argv)
