"""Batches from rows in memory, and from rows in a mapped file under a limit of memory that they do not fit into.

    python tests/benchmarks/benchmark_memory_map.py [--cases 2000] [--limit 1.2]

Cases are 3,300 rows of 62 columns. The limit [GiB] is one of a control group of Linux (needs root): it is set after the
rows in memory are measured and freed. Batches are 1,024 windows of 11 rows, and 16 windows of 610 rows, both drawn at
random from all cases, as in training.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from measure import markdown, seconds
from plant import ROWS, fitted, make_channels, smooth_values

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.rows import Rows
from surrogate_modeling.common.memory import peak_memory
from surrogate_modeling.training.windows import WindowDataset

GROUPS = Path("/sys/fs/cgroup")
# Different cases that are made; the others are these, scaled.
MADE = 20
IN_LEN = 10
# Predicted rows of a window, windows of a batch, and batches that are timed.
KINDS = {"1,024 windows of 11 rows": (1, 1024, 60), "16 windows of 610 rows": (600, 16, 60)}


def rates(count: int, in_file: bool) -> dict[str, float]:
    """Windows per second of each kind of batch, from the rows of so many cases."""
    made = [smooth_values(ROWS, seed) for seed in range(MADE)]
    rows = Rows(count, in_file)
    for i in range(count):
        rows.add((made[i % MADE] * (1.0 + i / count)).astype(np.float32))
    channels, names = make_channels(), [f"case{i}" for i in range(count)]
    table = rows.table(names, range(made[0].shape[1]))
    time = np.arange(ROWS, dtype=np.float64)
    cases = [Case(name, time, table.rows_of(name, ROWS), channels) for name in names]
    scaling, found = fitted(cases[:MADE]), {}
    for kind, (horizon, windows, batches) in KINDS.items():
        data = WindowDataset(cases, scaling, IN_LEN, horizon, table=table)
        torch.manual_seed(0)
        drawn = torch.randint(len(data), (batches, windows))

        def gather(data: WindowDataset = data, drawn: torch.Tensor = drawn) -> None:
            for batch in drawn:
                data.gather(batch)

        found[kind] = windows * batches / seconds(gather)
    return found


def limited(gib: float, work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Do work while this process is in a control group that may take so much memory."""
    old = GROUPS / "memory"
    parent, key = (old, "memory.limit_in_bytes") if old.is_dir() else (GROUPS, "memory.max")
    group = parent / f"benchmark-{os.getpid()}"
    try:
        group.mkdir()
        (group / key).write_text(str(int(gib * 2**30)))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        sys.exit(f"{group}: no limit can be set ({error.strerror}); run as root on Linux")
    try:
        return work()
    finally:
        (parent / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--limit", type=float, default=1.2, help="[GiB]")
    options = parser.parse_args()
    plain = rates(options.cases, in_file=False)
    peak = (peak_memory() or 0) / 2**30
    gc.collect()
    ours = limited(options.limit, lambda: rates(options.cases, in_file=True))
    size = options.cases * smooth_values(ROWS, 0).size * 4 / 2**30
    print(
        f"rows: {size:.2f} GiB; peak with rows in memory {peak:.2f} GiB; limit with rows in a file {options.limit} GiB"
    )
    cells = [(kind, f"{plain[kind]:,.0f}", f"{ours[kind]:,.0f}", f"{ours[kind] / plain[kind]:.2f}") for kind in KINDS]
    print(markdown(("batch", "memory [windows/s]", "mapped file [windows/s]", "ratio"), cells))


if __name__ == "__main__":
    main()
