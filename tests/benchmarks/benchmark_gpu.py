"""Training and prediction of every network on one GPU, against what the card can do.

    python tests/benchmarks/benchmark_gpu.py [--out FOLDER] [--only dot,ssm] [--phases step,free,...] [--minutes 4]
    python tests/benchmarks/benchmark_gpu.py --small --device cpu

Needs torch, Lightning and NumPy only. Made-up cases, 500 of 3,300 rows and 62 columns; what is timed is the product's
own fit, free run and prediction. Every row goes to ``gpu.json`` as soon as it is measured, and a Markdown table to
``gpu.md`` at the end or when the time is over.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from gpu_ceilings import bandwidth, product_peaks
from gpu_kernels import step_kernels
from gpu_phases import Bench, Extent, carries_state, networks
from measure import amount, markdown

from surrogate_modeling.config.settings import Compile, Precision

PRECISIONS = Precision.fp32, Precision.tf32, Precision.bf16
Row = dict[str, Any]


class Report:
    """Rows as they come, on disk and on the screen.

    Args:
        folder: of ``gpu.json`` and ``gpu.md``.
        minutes: after which no further row is begun.
    """

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder, self.until = folder, time.monotonic() + 60 * minutes
        self.head: dict[str, Any] = {}
        self.rows: list[Row] = []

    def add(self, row: Row, work: Callable[[], Row]) -> Row:
        """Measure and keep a row; what goes wrong in it is kept in its place."""
        if time.monotonic() > self.until:
            return {}
        began = time.monotonic()
        # What the row before left: modules and their graphs refer to themselves.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            row = {**row, **work()}
        except Exception as error:  # a row that fails must not cost those after it
            row = {**row, "failed": f"{type(error).__name__}: {error}"[:500]}
        row["took"] = round(time.monotonic() - began, 2)
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        self.write()
        return row

    def write(self) -> None:
        """Both files."""
        text = json.dumps({**self.head, "rows": self.rows}, indent=1)
        (self.folder / "gpu.json").write_text(text, encoding="utf-8")
        (self.folder / "gpu.md").write_text(self.tables(), encoding="utf-8")

    def tables(self) -> str:
        """One Markdown table per phase."""
        parts = [", ".join(f"{key}: {value}" for key, value in self.head.items())]
        for phase in dict.fromkeys(row["phase"] for row in self.rows):
            rows = [row for row in self.rows if row["phase"] == phase]
            keys = list(dict.fromkeys(key for row in rows for key in row if key not in ("phase", "took")))
            parts.append(markdown(keys, [[cell(key, row.get(key)) for key in keys] for row in rows]))
        return "\n\n".join(parts) + "\n"


def cell(key: str, value: object) -> str:
    """Seconds, bytes and shares as people read them."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if key == "memory":
        return amount(value, "GiB")
    if key.startswith("share"):
        return f"{value:.1%}"
    return f"{value:.3g}" if "nADE" in key or "off" in key or key == "bytes" else amount(value, "s")


def machine(bench: Bench) -> dict[str, Any]:
    """Card, versions, and the two ceilings."""
    peaks = product_peaks(bench.device, bench.extent.product)
    found = {"torch": torch.__version__, "python": sys.version.split()[0], "device": bench.device.type}
    if bench.device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found["card"] = properties.name
        found["card memory [GiB]"] = str(round(properties.total_memory / 2**30))
    return {
        **found,
        **{f"{name} product [TFLOP/s]": float(f"{peak / 1e12:.4g}") for name, peak in peaks.items()},
        "copy [GB/s]": float(f"{bandwidth(bench.device, bench.extent.copied) / 1e9:.4g}"),
    }


def measure_all(bench: Bench, report: Report, only: list[str], phases: list[str]) -> None:
    """The phases asked for, the cheap ones first."""
    report.head = machine(bench)
    print(json.dumps(report.head), flush=True)
    names = [name for name in networks() if not only or name in only]
    peak = report.head["bf16 product [TFLOP/s]"] * 1e12
    flops = {name: bench.flops(name) for name in names}
    for phase in phases:
        for row, work in PHASES[phase](bench, names) if phase != "scan" else ():
            report.add(
                {"phase": phase, **row},
                lambda w=work, r=row: with_share({**r, **w()}, flops[r["network"]], peak, bench),
            )
        if phase == "scan":
            copied = report.head["copy [GB/s]"] * 1e9
            for found in bench.scans():
                share = found["bytes"] / found["seconds"] / copied
                report.add({"phase": phase}, lambda f=found, s=share: {**f, "share of copy": s})


def with_share(row: Row, flops: float, peak: float, bench: Bench) -> Row:
    """Beside the seconds, the share of the card's bf16 product that the counted operations are."""
    rows = bench.extent.free_rows
    for key in row.keys() & {"step", "products"}:
        state = carries_state(row["network"])
        row["share of bf16"] = 3 * flops * row["windows"] * (rows if state else 1) / row[key] / peak
    if "free run" in row:
        row["share of bf16"] = flops * row["cases"] * rows / row["free run"] / peak
    return row


Rows = Iterator[tuple[Row, Callable[[], Row]]]


def steps(bench: Bench, names: list[str]) -> Rows:
    """Training steps, eager and captured."""
    for way in bench.ways:
        for name in names:
            for precision in PRECISIONS:
                row = {"network": name, "precision": precision.value, "compile": way.value}
                yield row, lambda n=name, p=precision, w=way: bench.step(n, p, w)


def free_runs(bench: Bench, names: list[str]) -> Rows:
    """Few cases and many, launched one by one and captured."""
    for name in names:
        for cases in (bench.extent.few, bench.extent.many):
            both = cases == bench.extent.few and not carries_state(name) and Compile.none in bench.ways
            for precision in PRECISIONS:
                for graphed in (False, True) if both else (True,):
                    row = {"network": name, "cases": cases, "precision": precision.value, "graph": graphed}
                    yield (
                        row,
                        lambda n=name, c=cases, p=precision, g=graphed: {"cases": c, **bench.free_run(n, c, p, g)},
                    )


def whole_epochs(bench: Bench, names: list[str]) -> Rows:
    """Every window once, as ``auto`` trains and with bf16."""
    for name in names:
        for precision in (Precision.auto, Precision.bf16) if name == "dot" else (Precision.auto,):
            if not carries_state(name):
                row = {"network": name, "precision": precision.value, "compile": "auto"}
                yield row, lambda n=name, p=precision: bench.whole_epoch(n, p, Compile.auto)


def trainings(bench: Bench, names: list[str]) -> Rows:
    """The recipe for long trajectories to its end."""
    for name in filter(carries_state, names):
        yield {"network": name}, lambda n=name: bench.training(n, Precision.auto, Compile.auto)


def predictions(bench: Bench, names: list[str]) -> Rows:
    """From arrays to arrays."""
    for name in names:
        for count in (bench.extent.few, bench.extent.many):
            yield {"network": name, "cases": count}, lambda n=name, c=count: bench.prediction(n, c)


def kernels(bench: Bench, names: list[str]) -> Rows:
    """Where a captured step's time goes; the share is that of the products alone."""
    for name in names:
        row = {"network": name, "precision": "bf16"}
        yield row, lambda n=name: step_kernels(bench, n, Precision.bf16)


def scored(bench: Bench, names: list[str]) -> Rows:
    """A short training, then one network in all precisions."""
    for name in names:
        batches = dict(epochs=2) if carries_state(name) else dict(epochs=2, windows_per_epoch=300 * bench.extent.batch)

        def work(name: str = name, batches: dict[str, int] = batches) -> Row:
            settings = bench.settings(name, Precision.auto, Compile.auto, **batches)
            return bench.scores(bench.fitted(name, settings, cases=bench.extent.few)[0])

        yield {"network": name}, work


def compiled(bench: Bench, names: list[str]) -> Rows:
    """Last, because the compiler takes longest; not the networks whose time is that of one library call."""
    for precision in (Precision.bf16, Precision.tf32):
        for name in [name for name in ("dot", "bt", "don") if name in names]:
            row = {"network": name, "precision": precision.value, "compile": "full"}
            yield row, lambda n=name, p=precision: bench.step(n, p, Compile.full)


def large_batches(bench: Bench, names: list[str]) -> Rows:
    """How far the study's batch of 1,024 windows is from filling the card."""
    for name in [name for name in names if not carries_state(name)]:
        row = {"network": name, "precision": "bf16", "compile": "graph"}
        yield row, lambda n=name: bench.step(n, Precision.bf16, Compile.auto, larger=8)


PHASES: dict[str, Callable[[Bench, list[str]], Rows]] = {
    "scan": lambda *_: iter(()),
    "step": steps,
    "free": free_runs,
    "predict": predictions,
    "training": trainings,
    "epoch": whole_epochs,
    "scores": scored,
    "large": large_batches,
    "kernels": kernels,
    "compiled": compiled,
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cpu", "cuda"])
    parser.add_argument("--small", action="store_true", help="to see that everything works")
    parser.add_argument("--captured", action="store_true", help="steps and free runs as graphs only")
    parser.add_argument("--only", default="", help="networks, separated by commas")
    parser.add_argument("--phases", default=",".join(PHASES), help="separated by commas")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    report = Report(options.out, options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        ways = [Compile.none, Compile.graph] if options.device == "cuda" else [Compile.none]
        extent = Extent.small() if options.small else Extent()
        bench = Bench(options.device, extent, Path(folder), ways[-1:] if options.captured else ways)
        measure_all(bench, report, [name for name in options.only.split(",") if name], options.phases.split(","))
    print(report.tables())


if __name__ == "__main__":
    main()
