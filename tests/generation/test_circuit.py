"""The plan of the embedded simulator's cases: what is refused."""

from dataclasses import replace

import pytest

from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.simulator import PlanError

PLAN = Circuit(duration=4.0, step=0.1, refrigerant="R134a", families={"engine": 1.0}, seed=0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": -1}, "seed = -1"),
        ({"step": 0.15}, "multiple of 0.1"),
        ({"duration": 0.05}, "positive multiple of the step"),
        ({"duration": float("nan")}, "positive multiple of the step"),
        ({"refrigerant": "R12"}, "R134a, R1234yf"),
        ({"families": {"engin": 1.0}}, "engin unknown"),
        ({"families": {"engine": 0.0}}, "above 0"),
    ],
)
def test_impossible_plans_are_refused(change: dict, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        replace(PLAN, **change)
