"""The objectives of a search, computed from the fitted surrogate and the validation cases."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.surrogate.model import Surrogate

TIMED_RUNS = 3


class ObjectiveInputs:
    """Inputs of the objectives: the fitted surrogate, the validation cases, the validation curve.

    Args:
        surrogate: with its best weights.
        validation: the validation cases; a search must not see the test cases.
        least: smallest value of each metric of the validation curve.
        rows: free runs over the validation cases, where these were left out by some of its networks only.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        validation: Sequence[Case],
        least: dict[str, float],
        rows: Sequence[np.ndarray] = (),
    ) -> None:
        self.surrogate, self.validation, self.least, self.rows = surrogate, validation, least, rows

    @cached_property
    def scores(self) -> Scores:
        """Scores of the validation cases in free run."""
        rows = self.rows or self.surrogate.predict(self.validation)
        return score(self.validation, rows, self.surrogate.description.channels, self.surrogate.predicted_scale)

    def seconds(self) -> float:
        """Seconds of one validation case in free run; the fastest of a few, since other load only adds to it."""
        self.surrogate.predict(self.validation)
        taken = []
        for _ in range(TIMED_RUNS):
            started = time.perf_counter()
            self.surrogate.predict(self.validation)
            taken.append(time.perf_counter() - started)
        return min(taken) / len(self.validation)


OBJECTIVE_FUNCTIONS: dict[str, Callable[[ObjectiveInputs], float]] = {
    "val_loss": lambda inputs: inputs.least.get("val_loss", math.inf),
    "val_nADE": lambda inputs: inputs.least.get("val_nADE", math.inf),
    "nADE": lambda inputs: inputs.scores.nade,
    "nFDE": lambda inputs: inputs.scores.nfde,
    "prediction_seconds": lambda inputs: inputs.seconds(),
    "parameters": lambda inputs: float(inputs.surrogate.network.parameter_count),
}


def evaluate_objectives(names: Sequence[str], inputs: ObjectiveInputs) -> dict[str, float]:
    """Compute each objective, in the given order."""
    return {name: OBJECTIVE_FUNCTIONS[name](inputs) for name in names}
