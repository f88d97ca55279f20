"""Seconds of CPU per simulated hour, ours against SciPy's LSODA on the same equations, in one run.

    python tests/benchmarks/benchmark_refrigerant.py [simulated seconds, default 300]

Both integrate the same compiled right-hand side from the same state, twice: under the controls of a case,
held over 0.1 s because a control unit sits in the loop (LSODA starts anew at every row), and under smooth
controls that nothing reacts to, where LSODA may take steps as long as it likes. Accuracy is the worst
column's rms difference over its standard deviation against our integrator with a 20 times smaller step.
"""

import sys
import time
from typing import Any

import numpy as np


def main(duration: float) -> None:
    """Measure and print."""
    began = time.perf_counter()
    from surrogate_modeling.cases.writer import case_csv
    from surrogate_modeling.generation.circuit import DIGITS
    from surrogate_modeling.refrigerant import reference as ref
    from surrogate_modeling.refrigerant.case import case_table, names_and_units, run_schedule
    from surrogate_modeling.refrigerant.columns import CONTROL_STEP
    from surrogate_modeling.refrigerant.families import RANDOM_STEPS
    from surrogate_modeling.refrigerant.integrator import SUBSTEPS, Drive
    from surrogate_modeling.refrigerant.preparation import prepare
    from surrogate_modeling.refrigerant.properties import load_tables
    from surrogate_modeling.refrigerant.schedules import WARM_UP, make_schedule

    prepare("R134a")
    print(f"start, code and tables from the cache or made: {time.perf_counter() - began:.2f} s")
    tables = load_tables("R134a")
    schedule = make_schedule(1, duration, "random_steps", 0)
    case = run_schedule("R134a", Drive(schedule.plan, schedule.targets, RANDOM_STEPS))
    first = round(WARM_UP / CONTROL_STEP)
    plan, start = case.controls[first:].copy(), case.states[first].copy()
    print("controls of a case, held over 0.1 s")
    truth = ref.by_rkc_held(start, "R134a", plan, 20 * SUBSTEPS).states
    compare(
        {
            "RKC2, 0.05 s (ours)": ref.by_rkc_held(start, "R134a", plan),
            "LSODA, rtol 1e-4": ref.by_lsoda_held(start, tables, plan, 1e-4),
            "LSODA, rtol 1e-6": ref.by_lsoda_held(start, tables, plan, 1e-6),
        },
        ref.observe(truth, plan, tables),
        plan,
        tables,
        duration,
    )
    print("smooth controls, known beforehand")
    start = ref.settled_state("R134a", ref.OPERATING_POINT, 200.0)
    controls = ref.smooth_controls(np.arange(round(duration / CONTROL_STEP) + 1) * CONTROL_STEP)
    truth = ref.by_rkc(start, "R134a", duration, 20 * SUBSTEPS).states
    compare(
        {
            "RKC2, 0.05 s (ours)": ref.by_rkc(start, "R134a", duration),
            "LSODA, rtol 1e-4": ref.by_lsoda(start, tables, duration, 1e-4),
            "LSODA, rtol 1e-6": ref.by_lsoda(start, tables, duration, 1e-6),
        },
        ref.observe(truth, controls, tables),
        controls,
        tables,
        duration,
    )
    began = time.process_time()
    table = case_table(1, 600.0, 0.1, "R134a", "random_steps", 0)
    simulated = time.process_time() - began
    columns = dict(list(zip(*names_and_units(), strict=True))[1:])
    size = len(case_csv(columns, table[:, 0], table[:, 1:], DIGITS))
    total = time.process_time() - began
    print(f"one case of 600 s: {simulated:.2f} s to simulate, {total - simulated:.2f} s for {size / 1e6:.1f} MB")


def compare(runs: dict, truth: np.ndarray, controls: np.ndarray, tables: Any, duration: float) -> None:
    """One line per method; the first is the one the others are measured by."""
    from surrogate_modeling.refrigerant import reference as ref

    ours = next(iter(runs.values()))
    print(f"  {'method':22}{'CPU s per simulated h':>24}{'worst rms / std':>18}{'times ours':>12}")
    for name, run in runs.items():
        error, _ = ref.worst_difference(ref.observe(run.states, controls, tables), truth)
        per_hour, ratio = run.seconds * 3600.0 / duration, run.seconds / ours.seconds
        print(f"  {name:22}{per_hour:24.2f}{error:18.1e}{ratio:12.1f}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 300.0)
