"""What a data set of 10 to 500 cases costs: windows/s, seconds per epoch, and memory of a whole training run.

    python tests/benchmarks/benchmark_scaling.py [--cases 10 30 100 300 500] [--train 500]

Cases are 3,300 rows of 62 smooth random columns. Cost per case should stay flat. ``--train N`` runs ``train.py`` on
N case files for one epoch and follows the memory of all its processes (proportional set size, Linux).
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from measure import markdown
from plant import CONTROLS, ROWS, make_channels, smooth_values

from surrogate_modeling.cases.folder import CACHE_FOLDER
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.paths import PROJECT_ROOT

LIMIT_GIB = 2.5


def scaling(counts: list[int]) -> None:
    """Windows/s, epoch and memory, each count in a process of its own."""
    rows = []
    for count in counts:
        script = Path(__file__).with_name("hold_windows.py")
        output = subprocess.run(
            [sys.executable, script, "ours", str(count), "--epoch"], check=True, capture_output=True
        )
        result = json.loads(output.stdout)
        rows.append(
            (
                str(count), f"{result['windows']:,}", f"{result['windows'] / result['gather_seconds']:,.0f}",
                f"{result['epoch_seconds']:.1f}", f"{result['epoch_seconds'] / count * 1e3:.0f}",
                f"{result['peak_gib']:.2f}",
            )
        )  # fmt: skip
        print(f"... {count} cases", file=sys.stderr)
    head = ("cases", "windows", "windows/s", "epoch of `don` [s]", "per case [ms]", "peak memory [GiB]")
    print(markdown(head, rows))


def train(count: int) -> None:
    """One epoch of the real command, from case files to figures, and its memory."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "cases"
        folder.mkdir()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda i: write_smooth_case(folder / f"case{i}.csv", i), range(count)))
        before = set(CACHE_FOLDER.glob("*.case"))
        command = [
            sys.executable, str(PROJECT_ROOT / "src" / "surrogate_modeling" / "train.py"), "dataset=csv",
            f"dataset.path={folder}", f"dataset.controls={CONTROLS}", "model=don", "settings.epochs=1",
            "settings.num_figures=50", "settings.mlflow_exp_name=benchmark", f"hydra.run.dir={place}/run",
        ]  # fmt: skip
        log = Path(place) / "output.txt"
        try:
            began = time.perf_counter()
            with log.open("w") as output:
                process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
                peak, at = 0.0, 0.0
                while process.poll() is None:
                    now = tree_memory(process.pid)
                    if now > peak:
                        peak, at = now, time.perf_counter() - began
                    time.sleep(0.3)
        finally:
            for entry in set(CACHE_FOLDER.glob("*.case")) - before:
                entry.unlink()
        if process.returncode:
            sys.exit(log.read_text()[-3000:])
        print(
            f"train.py, {count} cases x {ROWS} rows x 62 columns, don, one epoch: {time.perf_counter() - began:.0f} s"
        )
        print(f"peak memory of all its processes {peak:.2f} GiB, after {at:.0f} s; limit {LIMIT_GIB} GiB")
        if peak > LIMIT_GIB:
            sys.exit(f"over {LIMIT_GIB} GiB")


def write_smooth_case(path: Path, seed: int) -> None:
    """A case on the grid already: 1 s."""
    write_case(path, make_channels().units, np.arange(ROWS, dtype=np.float64), smooth_values(ROWS, seed))


def tree_memory(root: int) -> float:
    """GiB of a process and all its descendants; pages they share count once."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    tree = {root}
    while grown := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    total = 0
    for process in tree:
        try:
            total += int(re.findall(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[0])
        except (OSError, IndexError):
            continue
    return total / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="*", default=[10, 30, 100, 300, 500])
    parser.add_argument("--train", type=int, help="cases of the whole training run")
    options = parser.parse_args()
    if options.train:
        train(options.train)
    else:
        scaling(options.cases)


if __name__ == "__main__":
    main()
