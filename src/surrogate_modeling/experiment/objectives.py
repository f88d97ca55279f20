"""What a search may ask of a run: one number per name, from the fitted surrogate and the validation cases."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.networks.stack import StackedNetwork
from surrogate_modeling.surrogate.model import Surrogate

TIMED_RUNS = 3


def count_parameters(surrogate: Surrogate) -> int:
    """Fitted numbers: of all members of an ensemble, and of the regression that a network is stacked with."""
    trained = sum(parameter.numel() for parameter in surrogate.network.parameters())
    network = surrogate.network
    return trained + (int(network.regression.weight.count_nonzero()) if isinstance(network, StackedNetwork) else 0)


class Measured:
    """A fitted surrogate, measured when a name asks for it.

    Args:
        surrogate: with its best weights.
        validation: the validation cases; the test cases are not looked at, they judge what the search finds.
        least: of each metric of the validation curve.
    """

    def __init__(self, surrogate: Surrogate, validation: Sequence[Case], least: dict[str, float]) -> None:
        self.surrogate, self.validation, self.least = surrogate, validation, least

    @cached_property
    def scores(self) -> Scores:
        """The validation cases in free run."""
        rows = self.surrogate.predict(self.validation)
        return score(self.validation, rows, self.surrogate.description.channels, self.surrogate.predicted_scale)

    def seconds(self) -> float:
        """Of one validation case in free run, the best of a few, since other work only adds to it."""
        self.surrogate.predict(self.validation)
        taken = []
        for _ in range(TIMED_RUNS):
            started = time.perf_counter()
            self.surrogate.predict(self.validation)
            taken.append(time.perf_counter() - started)
        return min(taken) / len(self.validation)


MEASURES: dict[str, Callable[[Measured], float]] = {
    "val_loss": lambda measured: measured.least.get("val_loss", math.inf),
    "val_nADE": lambda measured: measured.least.get("val_nADE", math.inf),
    "nADE": lambda measured: measured.scores.nade,
    "nFDE": lambda measured: measured.scores.nfde,
    "prediction_seconds": lambda measured: measured.seconds(),
    "parameters": lambda measured: float(count_parameters(measured.surrogate)),
}


def measure(names: Sequence[str], measured: Measured) -> dict[str, float]:
    """The numbers asked for, in the order asked."""
    return {name: MEASURES[name](measured) for name in names}
