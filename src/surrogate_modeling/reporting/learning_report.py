"""Content of the learning curves in the report of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from surrogate_modeling.reporting.content import Content, Sentence


@dataclass(frozen=True)
class CurveFacts:
    """A learning curve.

    Attributes:
        name: of model and recipe.
        is_baseline: whether it is one of the baselines.
        cases: numbers of training cases.
        errors: of each seed, with each number.
        counts: numbers of cases at which the law is drawn; empty without one.
        law: its median there.
        low: lower end of its band.
        high: upper end.
        sentences: what it says.
    """

    name: str
    is_baseline: bool
    cases: Sequence[int]
    errors: Sequence[Sequence[float]]
    counts: Sequence[float]
    law: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    sentences: Sequence[Sentence]


def learning_content(curves: Sequence[CurveFacts], table: Sequence[Sequence[str]], goal: float | None) -> Content:
    """Content of the section; empty without curves.

    Args:
        curves: the least error first.
        table: of all curves, with its head.
        goal: error that is asked for, if any.
    """
    if not curves:
        return {}
    return {"curves": [asdict(curve) for curve in curves], "table": [list(row) for row in table], "goal": goal}
