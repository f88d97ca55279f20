"""Memory of a process that holds the windows of so many cases, as JSON: ``hold_windows.py plain|ours CASES [--epoch]``.

With ``--epoch`` also the seconds of gathering every window once and of one training epoch of ``don``.
"""

import json
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import plain
from plant import CONTROLS, PREDICTED, ROWS, fitted, make_cases, make_channels, smooth_values

from surrogate_modeling.cases import Case
from surrogate_modeling.config import SettingsConfig
from surrogate_modeling.windows import WindowData, WindowDataset

IN_LEN = 10


def main(form: str, count: int, epoch: bool) -> None:
    """Make them and say what it took."""
    result: dict[str, float] = {}
    if form == "plain":
        cases = make_cases(count)
        scaling = fitted(cases)
        mean, scale = (part.double().numpy() for part in (scaling.mean, scaling.scale))
        parts = [plain.make_windows(case.values, mean, scale, IN_LEN, CONTROLS) for case in cases]
        windows = plain.WindowPerItem(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        result["windows"] = len(windows)
    else:
        result |= ours(count, epoch)
    # Not getrusage: what a process inherits from the one that started it counts there.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps({"peak_gib": int(peak) / 2**20, **result}))


def ours(count: int, epoch: bool) -> dict[str, float]:
    """Cases in one array, as they are read to, and their windows."""
    rows = np.empty((count * ROWS, CONTROLS + PREDICTED), np.float32)
    for i in range(count):
        rows[i * ROWS : (i + 1) * ROWS] = smooth_values(ROWS, i)
    time_axis = np.arange(ROWS, dtype=np.float64)
    cases = [Case(f"case{i}", time_axis, rows[i * ROWS : (i + 1) * ROWS]) for i in range(count)]
    settings = SettingsConfig(in_len=IN_LEN, epochs=1, progress_bar=False)
    windows = WindowDataset(cases, fitted(cases), IN_LEN, 1, CONTROLS)
    data = WindowData(windows, WindowDataset(cases[:1], fitted(cases[:1]), IN_LEN, 1, CONTROLS), settings)
    began = time.perf_counter()
    for _ in data.train_dataloader():
        pass
    result = {"windows": len(windows), "gather_seconds": time.perf_counter() - began}
    if epoch:
        result["epoch_seconds"] = train_epoch(cases, data, settings)
    return result


def train_epoch(cases: list[Case], data: WindowData, settings: SettingsConfig) -> float:
    """Seconds of one epoch of ``don`` with Lightning."""
    import tempfile

    from surrogate_modeling.model_config import DonConfig
    from surrogate_modeling.surrogate import Surrogate
    from surrogate_modeling.surrogate_description import Description
    from surrogate_modeling.training import fit

    surrogate = Surrogate(Description(DonConfig("don"), make_channels(), IN_LEN, 1, 1.0))
    surrogate.scaling.fit(case.values for case in cases)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fit(surrogate, data, cases[:1], settings, Path(folder), lambda _metrics, _epoch: None)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "--epoch" in sys.argv)
