"""Checks of the simulator: conservation, operating point, trends and integrators, each with value and limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.common.tables import aligned
from surrogate_modeling.refrigerant.columns import PREDICTED

FAMILIES = {"random_steps": 0.3, "pi_control": 0.3, "thermostat": 0.2, "engine": 0.2}
# Rows averaged for the drift at the end (10 s), because a case may end in the middle of a restart.
LAST_ROWS = 100
PREDICTED_NAMES = [column.name for column in PREDICTED]

# Values of another model of the same specification at the operating point: column, value, relative tolerance.
OPERATING_POINT_FIGURES = (
    ("CondOutP", 14.85, 0.08),
    ("EvaOutP", 2.99, 0.08),
    ("CompIn_gs", 24.8, 0.08),
    ("Comp_kW", 1.54, 0.08),
    ("Eva_kW", 3.67, 0.08),
)
OPERATING_POINT_DISCHARGE = (88.6, 5.0)  # degC, tolerance in K

# Quartiles of running rows in an independent implementation of the specification; our medians must be between them.
QUARTILES_WHILE_RUNNING = (
    ("Eva_kW", 2.2, 4.0),
    ("Comp_kW", 0.65, 2.1),
    ("COP", 1.9, 3.6),
    ("CondOutP", 9.5, 15.3),
    ("EvaOutP", 2.4, 3.1),
    ("EvaSH", 6.5, 9.2),
    ("CondSC", 9.0, 13.0),
)


@dataclass(frozen=True)
class Check:
    """Result of one check: name, value and limit as text, and whether it passed."""

    name: str
    figure: str
    limit: str
    passed: bool


@dataclass(frozen=True)
class CheckReport:
    """Results of all checks; ``str`` gives a text table."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        rows = [("check", "figure", "limit", "")]
        rows += [(c.name, c.figure, c.limit, "ok" if c.passed else "FAILED") for c in self.checks]
        return aligned(rows)


def run_checks(
    cases: int = 20,
    duration: float = 600.0,
    seed: int = 0,
    refrigerants: tuple[str, ...] = ("R134a", "R1234yf"),
) -> CheckReport:
    """Run every check; conservation and ranges over ``cases`` random cases of ``duration`` seconds each.

    Args:
        cases: random cases per refrigerant.
        duration: seconds of each, after the warm-up.
        seed: of the schedules.
        refrigerants: the first is also used for the operating point, directions and integrators.
    """
    rows: list[Check] = []
    for refrigerant in refrigerants:
        rows += check_cases(refrigerant, cases, duration, seed)
    rows += check_steady_state(refrigerants[0])
    rows += check_directions()
    rows += check_integrators(refrigerants[0])
    return CheckReport(tuple(rows))


def _limit_check(name: str, value: float, limit: float) -> Check:
    return Check(name, f"{value:.1e}", f"<= {limit:.0e}", bool(value <= limit))


def check_cases(refrigerant: str, cases: int, duration: float, seed: int) -> Iterator[Check]:
    """Check conservation, failed cases and typical ranges over random cases of all families."""
    from surrogate_modeling.refrigerant import layout as ly
    from surrogate_modeling.refrigerant.case import CHARGE, LeftRegion, run_case
    from surrogate_modeling.refrigerant.columns import CONTROL_STEP
    from surrogate_modeling.refrigerant.families import family_of
    from surrogate_modeling.refrigerant.schedules import WARM_UP, make_schedule

    drift, drift_end, energy, running, failures, fine = 0.0, 0.0, 0.0, [], [], 0
    first = round(WARM_UP / CONTROL_STEP)
    for number in range(1, cases + 1):
        schedule = make_schedule(number, duration, family_of(number, FAMILIES, seed), seed)
        try:
            run = run_case(refrigerant, schedule, 1)
        except LeftRegion as failure:
            failures.append(f"{number} {failure.reason}")
            continue
        fine += run.substeps > 2
        mass = np.abs(run.observed[:, ly.O_MASS] / CHARGE[refrigerant] - 1.0)
        stored = run.observed[:, ly.O_ENERGY] - run.observed[0, ly.O_ENERGY]
        residual = np.abs(stored - run.states[:, ly.E_IN]) / max(run.states[-1, ly.W_IN], 1.0)
        drift, drift_end = max(drift, mass.max()), max(drift_end, mass[-LAST_ROWS:].mean())
        energy = max(energy, residual.max())
        on = run.controls[first:, ly.COMP_N] > 500.0
        running.append(run.predicted()[first:][on])
    label = f"{refrigerant}, {cases} cases of {duration:.0f} s"
    yield _limit_check(f"charge drift in transients ({label})", drift, 2e-3)
    yield _limit_check("charge drift at the end (mean of the last 10 s)", drift_end, 5e-4)
    yield _limit_check("energy residual over compressor work", energy, 2e-3)
    what = f"{len(failures)} failed, {fine} with a quarter step" + "".join(f"; case {f}" for f in failures[:3])
    yield Check("cases that left the property region", what, "0 failed", not failures)
    if refrigerant != "R134a" or not running:
        return
    table = np.concatenate(running)
    cop = table[:, PREDICTED_NAMES.index("Eva_kW")] / np.maximum(table[:, PREDICTED_NAMES.index("Comp_kW")], 0.05)
    for name, low, high in QUARTILES_WHILE_RUNNING:
        values = cop if name == "COP" else table[:, PREDICTED_NAMES.index(name)]
        quarter, median, three = np.percentile(values, [25, 50, 75])
        figure = f"{median:.2f} ({quarter:.2f} to {three:.2f})"
        yield Check(
            f"median while running (quartiles): {name}",
            figure,
            f"{low} to {high}",
            bool(low <= median <= high),
        )


def steady_columns(refrigerant: str, **changes: float) -> dict[str, float]:
    """Steady-state columns under the operating point's controls, with changes by control name."""
    from surrogate_modeling.refrigerant import circuit as ci
    from surrogate_modeling.refrigerant import layout as ly
    from surrogate_modeling.refrigerant.columns import CONTROLS
    from surrogate_modeling.refrigerant.observation import predicted_rows
    from surrogate_modeling.refrigerant.properties import load_tables
    from surrogate_modeling.refrigerant.reference import OPERATING_POINT, settled_state

    controls = OPERATING_POINT.copy()
    for name, value in changes.items():
        controls[[c.name for c in CONTROLS].index(name)] = value
    tables = load_tables(refrigerant)
    y = settled_state(refrigerant, controls, 3000.0)
    dy, o = np.empty(ly.N_STATES), np.empty((1, ly.N_OBSERVED))
    ci.evaluate(y, controls, tables, dy, o[0])
    columns = dict(zip(PREDICTED_NAMES, predicted_rows(tables, o, y[None, :].copy())[0].tolist(), strict=True))
    gain = o[0, ly.O_Q_EVA] + o[0, ly.O_POWER] + o[0, ly.O_Q_OTHER]
    columns["imbalance"] = abs(o[0, ly.O_Q_COND] - gain) / o[0, ly.O_Q_COND]
    columns["COP"] = columns["Eva_kW"] / columns["Comp_kW"]
    return columns


def check_steady_state(refrigerant: str) -> Iterator[Check]:
    """Check the steady-state heat balance and the specification's operating point."""
    point = steady_columns(refrigerant)
    # All heat is counted, including the engine bay's through shell and suction line, so the balance must close.
    yield _limit_check("steady heat balance, (Qcond - Qevap - W - Qbay) / Qcond", point["imbalance"], 1e-5)
    for name, figure, allowance in OPERATING_POINT_FIGURES:
        deviation = point[name] / figure - 1.0
        text = f"{point[name]:.3f} ({100 * deviation:+.1f} %)"
        limit = f"{figure} +- {100 * allowance:.0f} %"
        yield Check(f"operating point: {name}", text, limit, abs(deviation) <= allowance)
    figure, allowance = OPERATING_POINT_DISCHARGE
    value = point["Comp_OutT"]
    yield Check(
        "operating point: Comp_OutT",
        f"{value:.1f} degC",
        f"{figure} +- {allowance} K",
        abs(value - figure) <= allowance,
    )


def check_directions() -> Iterator[Check]:
    """Check trends that published tests agree on, and R1234yf against R134a on the same hardware."""
    slow, fast = steady_columns("R134a", CompN=2000.0), steady_columns("R134a", CompN=5000.0)
    cool, hot = steady_columns("R134a", AmbT=28.0), steady_columns("R134a", AmbT=40.0)
    base, other = steady_columns("R134a"), steady_columns("R1234yf")

    def change(name: str, before: dict[str, float], after: dict[str, float], key: str, rises: bool) -> Check:
        ratio = after[key] / before[key] - 1.0
        return Check(f"{name}: {key}", f"{100 * ratio:+.1f} %", "rises" if rises else "falls", (ratio > 0.0) == rises)

    yield change("2000 to 5000 rpm", slow, fast, "Eva_kW", True)
    yield change("2000 to 5000 rpm", slow, fast, "COP", False)
    yield change("ambient 28 to 40 degC", cool, hot, "Eva_kW", False)
    yield change("ambient 28 to 40 degC", cool, hot, "COP", False)
    capacity = 100.0 * (other["Eva_kW"] / base["Eva_kW"] - 1.0)
    yield Check("R1234yf for R134a: Eva_kW", f"{capacity:+.1f} %", "-15 to 0 %", -15.0 <= capacity <= 0.0)
    colder = other["Comp_OutT"] - base["Comp_OutT"]
    yield Check("R1234yf for R134a: Comp_OutT", f"{colder:+.1f} K", "lower", colder < 0.0)


def check_integrators(refrigerant: str, duration: float = 120.0) -> Iterator[Check]:
    """Check the default step against a 20 times smaller one and SciPy's LSODA, under smooth controls."""
    from surrogate_modeling.refrigerant import reference as ref
    from surrogate_modeling.refrigerant.columns import CONTROL_STEP
    from surrogate_modeling.refrigerant.integrator import SUBSTEPS
    from surrogate_modeling.refrigerant.properties import load_tables

    tables = load_tables(refrigerant)
    start = ref.settled_state(refrigerant, ref.OPERATING_POINT)
    ours = ref.by_rkc(start, refrigerant, duration)
    controls = ref.smooth_controls(np.arange(len(ours.states)) * CONTROL_STEP)
    table = ref.observe(ours.states, controls, tables)
    others = {
        "a 20 times smaller step": ref.by_rkc(start, refrigerant, duration, 20 * SUBSTEPS),
        "SciPy's LSODA": ref.by_lsoda(start, tables, duration, 1e-7),
    }
    for name, trajectory in others.items():
        value, column = ref.worst_difference(table, ref.observe(trajectory.states, controls, tables))
        yield _limit_check(f"rms / std against {name}, worst column {PREDICTED_NAMES[column]}", value, 3e-3)
