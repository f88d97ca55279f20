"""Every phase of a run against its textbook form, in one process run: a table of ratios.

    python tests/benchmarks/benchmark_speed.py [--device cpu|cuda] [--only WORDS] [--quick]

The textbook forms are in ``tests/plain.py``; before two forms are timed their results are compared. The reference
ratios were measured once, with other code, on a machine with two cores; a row holds when it reaches three quarters of
its reference.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import Row, amount, markdown

TABLE_HEAD = ("phase", "per", "plain", "ours", "ratio", "reference", "holds")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--only", help="phases whose name contains this")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    # Not at the top: processes that draw figures import this file again, as they do the light train.py.
    import torch
    from phases import Bench

    torch.set_float32_matmul_precision("highest")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.device, options.quick, Path(folder), options.only or "")
        for name, phase in bench.phases().items():
            if not options.only or options.only in name:
                print(f"... {name}", file=sys.stderr)
                rows.extend(phase())
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else platform.processor() or platform.machine()
    print(f"\n{os.cpu_count()} cores, {name}, torch {torch.__version__.split('+')[0]}\n")
    cells = [
        (
            row.phase, row.unit, amount(row.plain, row.unit), amount(row.ours, row.unit), f"{row.ratio:.3g}",
            f"{row.reference:.3g}", row.verdict,
        )
        for row in rows
    ]  # fmt: skip
    print(markdown(TABLE_HEAD, cells))
    print("\n" + "\n".join(f"- {note}" for note in bench.notes))


if __name__ == "__main__":
    main()
