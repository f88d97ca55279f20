"""Which columns are taken for controls."""

from collections.abc import Callable

import numpy as np
import pytest
from builders import case_set_of, lag, plain_case

from surrogate_modeling.inspection.next_row import told_by_others
from surrogate_modeling.inspection.relations import find_relations
from surrogate_modeling.inspection.roles import suggest_controls
from surrogate_modeling.inspection.series import Series

ROWS = 500
Maker = Callable[[np.random.Generator, int], list[np.ndarray]]


def steps(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(rng.uniform(0, 1, ROWS), rng.integers(5, 40, ROWS))[:ROWS]


def noisy(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values + 0.01 * rng.normal(size=len(values))


def suggested(make: Maker) -> list[int]:
    cases = []
    for i in range(8):
        table = np.column_stack(make(np.random.default_rng(i), i)).astype(np.float32)
        cases.append(plain_case(f"c{i}", np.arange(float(ROWS)), table, 1))
    case_set = case_set_of(cases)
    series = Series.of(case_set)
    return suggest_controls(case_set, series, told_by_others(series), find_relations(series))


def two_controls(rng: np.random.Generator, i: int) -> list[np.ndarray]:
    u, v = steps(rng), steps(rng)
    return [u, v, noisy(lag(u, 10), rng), noisy(lag(u + v, 30), rng)]


def control_in_the_middle(rng: np.random.Generator, i: int) -> list[np.ndarray]:
    u, v = steps(rng), steps(rng)
    return [u, noisy(lag(u, 10), rng), v, noisy(lag(u + v, 30), rng)]


def parameter_and_constant(rng: np.random.Generator, i: int) -> list[np.ndarray]:
    u = steps(rng)
    return [u, np.full(ROWS, float(i)), np.ones(ROWS), noisy(i * lag(u, 10), rng)]


def answer_in_the_same_row(rng: np.random.Generator, i: int) -> list[np.ndarray]:
    u = steps(rng)
    return [u, noisy(3 * u**2, rng), noisy(lag(u, 10), rng)]


@pytest.mark.parametrize(
    ("make", "controls"),
    [
        (two_controls, [0, 1]),
        (control_in_the_middle, [0, 2]),
        (parameter_and_constant, [0, 1]),
        (answer_in_the_same_row, [0]),
    ],
)
def test_controls_are_the_columns_that_nothing_tells(make: Maker, controls: list[int]) -> None:
    assert suggested(make) == controls
