"""How long does a command take to start? Seconds from the shell, the least of several starts, and ratios.

    python tests/benchmarks/benchmark_start.py <folder of the circuit's cases>

``train`` is timed until its training begins and until its first epoch is through, on cases that were read before.
Lightning as it is imported here is set beside Lightning as it imports itself.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import markdown

BEGINS, FIRST_EPOCH = "training on", "epoch 1 of"


def until(command: Sequence[str], marks: Sequence[str]) -> list[float]:
    """Seconds until each of the texts is printed; the command is ended then. Without texts until it ends by itself."""
    started, seconds = time.perf_counter(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if len(seconds) < len(marks) and marks[len(seconds)] in line:
                seconds.append(time.perf_counter() - started)
                if len(seconds) == len(marks):
                    process.kill()
        process.wait()
    if len(seconds) < len(marks):
        raise SystemExit(f"{' '.join(command)}: ended without '{marks[len(seconds)]}'")
    return seconds or [time.perf_counter() - started]


def least(command: Sequence[str], repeats: int, marks: Sequence[str] = ()) -> list[float]:
    """The least of several starts; the first one only warms the caches of files."""
    until(command, marks)
    return [min(each) for each in zip(*(until(command, marks) for _ in range(repeats)), strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    python = [sys.executable, "-c"]
    plain, ours = (
        least([*python, f"import {name}"], given.repeats)[0]
        for name in ("pytorch_lightning", "surrogate_modeling.training.lightning")
    )
    with tempfile.TemporaryDirectory() as folder:
        train = [
            sys.executable, "-m", "surrogate_modeling.train", f"dataset.path={given.cases}",
            f"dataset.cases={len(list(given.cases.glob('case*.csv')))}", "model=don", "settings.epochs=2",
            "settings.windows_per_epoch=512", f"hydra.run.dir={folder}/" + "${unique:}", "settings.device=cpu",
        ]  # fmt: skip
        begins, epoch = least(train, given.repeats, (BEGINS, FIRST_EPOCH))
    rows = [
        ["Lightning, as it imports itself, to the end of the process", f"{plain:.2f}", ""],
        ["Lightning, as it is imported here, likewise", f"{ours:.2f}", f"{plain / ours:.2f}"],
        ["train, until the training begins", f"{begins:.2f}", ""],
        ["train, until the first epoch is through", f"{epoch:.2f}", ""],
    ]
    print(markdown(["from the shell", "seconds", "times faster"], rows))


if __name__ == "__main__":
    main()
