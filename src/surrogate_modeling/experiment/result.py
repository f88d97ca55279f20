"""Result of a run: scores and costs of the network and of the baselines on the test cases."""

from __future__ import annotations

from dataclasses import dataclass, field

from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.surrogate.model import Surrogate


@dataclass(frozen=True)
class Evaluation:
    """Scores of a network or a baseline on the test cases, and its cost.

    Attributes:
        scores: of the test cases.
        fit_seconds: of the fits that it takes.
        seconds_per_case: of its prediction.
        parameters: trained numbers.
        rows_per_second: of its prediction.
    """

    scores: Scores
    fit_seconds: float
    seconds_per_case: float
    parameters: int
    rows_per_second: float


@dataclass(frozen=True)
class RunResult:
    """The objective's values by name, the evaluations of network and baselines, and the number of epochs trained.

    ``weights``: of a portfolio, the mean weight of each member in the targets. ``surrogate``: what was trained.
    """

    objective: dict[str, float]
    network: Evaluation
    baselines: dict[str, Evaluation]
    epochs: int
    weights: dict[str, float] = field(default_factory=dict)
    surrogate: Surrogate | None = None
