"""Inputs that were left among the predicted columns."""

import numpy as np
import pytest
from builders import lag, plain_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.forgotten_controls import forgotten_controls
from surrogate_modeling.evaluation.scores import Scores, score

ROWS = 300
SHAPES = {
    "steps": lambda rng: np.repeat(rng.uniform(0, 1, ROWS // 20), 20),
    "ramps": lambda rng: np.interp(np.arange(ROWS), np.arange(0, ROWS + 30, 30), rng.uniform(0, 1, ROWS // 30 + 1)),
    "switch": lambda rng: rng.integers(0, 2, ROWS).astype(float),
    "noise": lambda rng: rng.normal(size=ROWS),
    "constant": lambda rng: np.full(ROWS, 2.0),
}


def cases_of(shape: str) -> list[Case]:
    """A control, its lag, and a column of some shape that nothing tells of."""
    made = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        control = np.repeat(rng.uniform(0, 1, ROWS // 10), 10)
        table = np.column_stack((control, lag(control, 8), SHAPES[shape](rng)))
        made.append(plain_case(f"c{seed}", np.arange(float(ROWS)), table.astype(np.float32), 1))
    return made


def scores_of(cases: list[Case], mean: np.ndarray, share: float) -> Scores:
    """Of a regression that predicts the lag, and of the other column its mean but for a share of what it does."""
    predicted = [
        np.column_stack((case.outputs[:, 0], mean[1] + (1 - share) * (case.outputs[:, 1] - mean[1])))[5:]
        for case in cases
    ]
    return score(cases, predicted, cases[0].channels, np.ones(2))


@pytest.mark.parametrize(("shape", "named"), [("steps", True), ("ramps", True), ("switch", True), ("noise", False)])
def test_a_column_that_nothing_tells_of_is_named_if_it_moves_as_inputs_do(shape: str, named: bool) -> None:
    cases = cases_of(shape)
    mean = np.concatenate([case.outputs for case in cases]).mean(axis=0)
    assert forgotten_controls(cases, mean, [scores_of(cases, mean, 1.0)]) == ["y1"] * named
    # Once a regression tells half of it, it is an output.
    assert forgotten_controls(cases, mean, [scores_of(cases, mean, 1.0), scores_of(cases, mean, 0.5)]) == []


def test_a_constant_column_is_none() -> None:
    cases = cases_of("constant")
    mean = np.concatenate([case.outputs for case in cases]).mean(axis=0)
    assert forgotten_controls(cases, mean, [scores_of(cases, mean, 1.0)]) == []
