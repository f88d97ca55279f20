"""Cases per second that an FMU makes: ours against a plain loop over FMPy's ``simulate_fmu``, in one run.

    python tests/benchmarks/benchmark_generation.py [cases, default 20] [seconds each, default 600]

Both make the same cases of the test's plant (FMI 2.0, co-simulation) and write them; the last cases are compared.
The loop calls ``simulate_fmu`` with the file and writes with pandas, as a first script would.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import fmpy
import numpy as np
import pandas as pd
from plant_fmu import build_fmu

from surrogate_modeling.config.dataset import FmuConfig
from surrogate_modeling.generation.fmu import Fmu, plan_fmu
from surrogate_modeling.generation.folder import generate_cases
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.signals import make_inputs


def plain_loop(fmu: Fmu, folder: Path, cases: int) -> None:
    """One case after another; the input of a step is that of the row at its end."""
    plan = fmu.plan
    for number in range(1, cases + 1):
        inputs, parameters = make_inputs(plan, number), plan.parameter_values(number)
        signals = np.zeros(len(plan.time), dtype=[("time", float), ("u", float), ("on", bool)])
        signals["time"] = plan.time
        for k, name in enumerate(("u", "on")):
            signals[name] = np.append(inputs[1:, k], inputs[-1, k]).round(0 if name == "on" else 15)
        result = fmpy.simulate_fmu(
            fmu.path, stop_time=plan.duration, output_interval=plan.step, start_values=parameters, input=signals,
            output=list(fmu.outputs),
        )  # fmt: skip
        table = pd.DataFrame({name: result[name] for name in ("time", *fmu.outputs)})
        table.to_csv(folder / f"plain{number:04d}.csv", index=False)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of processor of this process and those that it ran."""
    before, began = os.times(), time.perf_counter()
    work()
    after = os.times()
    return time.perf_counter() - began, sum(after[:4]) - sum(before[:4])


def main(cases: int, duration: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        path = build_fmu(Path(place) / "plant.fmu")
        ranges = {"gain": [0.5, 2.0]}
        fmu, _ = plan_fmu(
            FmuConfig("fmu", path="x", controls=None, fmu=str(path), duration=duration, parameter_ranges=ranges)
        )
        workers = os.cpu_count() or 1
        forms: dict[str, Callable[[], object]] = {
            "ours": lambda: generate_cases(Path(place) / "ours", fmu, cases, Running(workers)),
            "ours, one process": lambda: generate_cases(Path(place) / "one", fmu, cases, Running(1)),
            "plain loop": lambda: plain_loop(fmu, Path(place), cases),
        }
        taken = {name: measured(work) for name, work in forms.items()}
        ours = pd.read_csv(Path(place) / "ours" / f"case{cases:04d}.csv", skiprows=[1])
        plain = pd.read_csv(Path(place) / f"plain{cases:04d}.csv")
        # The loop sets the first row's output after the second row's input.
        np.testing.assert_allclose(ours[list(fmu.outputs)], plain[list(fmu.outputs)], rtol=1e-8, atol=1e-12)
    print(f"{cases} cases of {duration:g} s, {len(fmu.plan.time)} rows each, on {workers} cores, start included")
    wall, processor = taken["plain loop"]
    for name, (seconds, cpu) in taken.items():
        print(
            f"{name:20}{cases / seconds:8.2f} cases/s, {wall / seconds:4.1f} times the plain loop; "
            f"{1e3 * cpu / cases:6.0f} ms of processor a case, {processor / cpu:4.1f} times fewer"
        )


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    main(int(given[0]) if given else 20, given[1] if len(given) > 1 else 600.0)
