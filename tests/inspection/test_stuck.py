"""Columns that stand still for part of a case."""

import numpy as np
from builders import plain_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.inspection.stuck import Stuck, stuck_columns

ROWS = 200


def cases(count: int = 8) -> list[Case]:
    """Rows every 2 s of a switch that is held for 50 rows, a noise, and a noise in whole numbers that has ends."""
    made = []
    for i in range(count):
        rng = np.random.default_rng(i)
        switch = np.repeat(rng.integers(0, 2, 4), 50)
        noise = rng.normal(size=ROWS)
        table = np.column_stack((switch, noise, np.clip(np.round(3 * rng.normal(size=ROWS)), -6, 6)))
        made.append(plain_case(f"c{i}", 2.0 * np.arange(ROWS), table.astype(np.float32), 1))
    return made


def held(case: Case, column: int, rows: slice, value: float) -> None:
    case.values[rows, column] = value


def test_noise_and_switches_are_not_stuck() -> None:
    assert stuck_columns(cases(), 2.0) == []


def test_when_where_and_how_long_elsewhere() -> None:
    plant = cases()
    held(plant[5], 1, slice(40, 100), 0.25)
    # Rows 40 to 99, of which neighbours elsewhere never are the same.
    assert stuck_columns(plant, 2.0) == [Stuck(1, "c5", 80.0, 198.0, 0.0)]


def test_short_ones_limits_and_switches_are_passed_over() -> None:
    plant = cases()
    held(plant[1], 1, slice(40, 69), 0.25)
    held(plant[2], 2, slice(40, 190), 6.0)
    # The switch of one case stands still for four times as long as elsewhere.
    held(plant[3], 0, slice(None), 1.0)
    # That a column never moves is said of the whole case.
    held(plant[4], 1, slice(None), 0.25)
    assert stuck_columns(plant, 2.0) == []


def test_what_many_cases_do_is_usual_and_few_cases_have_no_usual() -> None:
    plant = cases()
    for case in plant[:3]:
        held(case, 1, slice(40, 100), 0.25)
    assert stuck_columns(plant, 2.0) == []
    plant = cases(3)
    held(plant[0], 1, slice(40, 100), 0.25)
    assert stuck_columns(plant, 2.0) == []
