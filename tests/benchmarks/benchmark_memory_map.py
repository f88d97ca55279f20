"""Epochs from rows in memory, and from rows in a mapped file under a limit of memory that they do not fit into.

    python tests/benchmarks/benchmark_memory_map.py [--cases 2000] [--limit 1.2]

Cases are 3,300 rows of 62 columns. The limit [GiB] is one of a control group of Linux (needs root): it is set after the
rows in memory are measured and freed, and the file is dropped from memory before each epoch. Measured are the batches
of an epoch alone, and an epoch of training: `don` on windows of 11 rows, `nss` on windows of 610.
"""

import argparse
import gc
import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from measure import markdown, seconds
from plant import ROWS, fitted, make_channels, smooth_values

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.rows import Rows
from surrogate_modeling.common.memory import peak_memory
from surrogate_modeling.config.models import DonConfig, ModelConfig, NssConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.fit import fit
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.windows import WindowDataset

GROUPS = Path("/sys/fs/cgroup")
# Different cases that are made; the others are these, scaled.
MADE = 20
IN_LEN = 10


@dataclass(frozen=True)
class Epoch:
    """Windows of epochs: predicted rows of each, how many make a batch, how many an epoch (None: every one)."""

    name: str
    horizon: int
    batch_size: int
    windows: int | None
    model: ModelConfig | None = None
    repeats: int = 1


EPOCHS = (
    Epoch("batches: 1,024 windows of 11 rows, every window once", 1, 1024, None),
    Epoch("batches: 1,024 windows of 11 rows, 200,000 drawn", 1, 1024, 200_000),
    Epoch("batches: 16 windows of 610 rows, 50,000 drawn", 600, 16, 50_000),
    Epoch("batches: 16 windows of 610 rows, 2,000 drawn", 600, 16, 2000),
    Epoch("training of `don`: 1,024 windows of 11 rows, 500,000 drawn", 1, 1024, 500_000, DonConfig("don")),
    Epoch("training of `nss`: 16 windows of 610 rows, 160 drawn, 10 times", 600, 16, 160, NssConfig("nss"), 10),
)


def rates(count: int, in_file: bool) -> dict[str, float]:
    """Windows per second of each epoch, from the rows of so many cases."""
    made = [smooth_values(ROWS, seed) for seed in range(MADE)]
    rows = Rows(count, in_file)
    for i in range(count):
        rows.add((made[i % MADE] * (1.0 + i / count)).astype(np.float32))
    channels, names = make_channels(), [f"case{i}" for i in range(count)]
    table = rows.table(names, range(made[0].shape[1]))
    time = np.arange(ROWS, dtype=np.float64)
    cases = [Case(name, time, table.rows_of(name, ROWS), channels) for name in names]
    return {epoch.name: rate(epoch, cases, table) for epoch in EPOCHS}


def rate(epoch: Epoch, cases: list[Case], table: RowTable) -> float:
    """Windows per second of an epoch, or of several."""
    scaling = fitted(cases[:MADE])
    training, validation = (
        WindowDataset(part, scaling, IN_LEN, epoch.horizon, table=table) for part in (cases, cases[:1])
    )
    settings = SettingsConfig(
        in_len=IN_LEN,
        batch_size=epoch.batch_size,
        windows_per_epoch=epoch.windows,
        epochs=epoch.repeats,
        progress_bar=False,
    )
    data = WindowData(training, validation, settings)
    # What was written just now would still lie in memory.
    forget(table)
    if epoch.model is None:
        took = seconds(lambda: [None for _ in data.train_dataloader()])
    else:
        surrogate = Surrogate(Description(epoch.model, cases[0].channels, IN_LEN, epoch.horizon, 1.0))
        surrogate.scaling.fit(case.values for case in cases[:MADE])
        with tempfile.TemporaryDirectory() as folder:
            took = seconds(
                lambda: fit(surrogate, data, cases[:1], settings, Path(folder), lambda _metrics, _epoch: None)
            )
    return epoch.repeats * (epoch.windows or len(training)) / took


def forget(table: RowTable) -> None:
    """Have the system drop the rows in a file from memory."""
    if table.file is not None:
        os.fsync(table.file.fileno())
        base: object = table.values
        while not isinstance(base, mmap.mmap):
            base = base.base if isinstance(base, np.ndarray) else base.obj
        # Pages that are mapped would stay.
        base.madvise(mmap.MADV_DONTNEED)
        os.posix_fadvise(table.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


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
    names = [epoch.name for epoch in EPOCHS]
    cells = [(name, f"{plain[name]:,.0f}", f"{ours[name]:,.0f}", f"{ours[name] / plain[name]:.2f}") for name in names]
    print(markdown(("epoch", "memory [windows/s]", "mapped file [windows/s]", "ratio"), cells))


if __name__ == "__main__":
    main()
