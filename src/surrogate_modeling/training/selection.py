"""Which models of a portfolio are fitted on after the first fold: by what a mixture gains, and what each costs.

Time that a model takes from the others makes their trainings shorter, so that it has to take the more off the error of
the mixture the more of their time it takes (successive halving, Jamieson and Talwalkar 2016, with one cut, and
greedy forward selection, Caruana et al. 2004).

Shape letters: M members, R rows of all cases, P predicted columns.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from surrogate_modeling.cases.case import Case
from surrogate_modeling.training.attempts import Attempt
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.mixing import Residuals, least_error_weights, without_traces

log = logging.getLogger(__name__)
# Part of the mixture's error that a model must take away at least, and for all of the time that is left.
MIN_GAIN, GAIN_FOR_ALL_TIME = 0.01, 0.1
# In training standard deviations: less than this need not be halved.
SMALL_ERROR = 0.005


@dataclass(frozen=True)
class Candidate:
    """A model that was fitted without the first fold.

    Attributes:
        attempt: its free runs.
        kind: of several of a kind one is taken at most.
        share: of the time that is left, what it takes to fit it without the other folds.
    """

    attempt: Attempt
    kind: str
    share: float

    def least_gain(self, spent: float) -> float:
        """Part of the mixture's error that it has to take away.

        Args:
            spent: share of the time that the chosen ones take; what they leave is free.
        """
        return max(MIN_GAIN, GAIN_FOR_ALL_TIME * (min(1.0, self.share) + min(1.0, spent) - 1.0))


def choose(training: FoldTraining, others: Sequence[Attempt], candidates: Sequence[Candidate]) -> list[str]:
    """Names of the candidates that are worth their time, the most useful first.

    Args:
        training: whose targets count.
        others: members that are there anyway.
        candidates: to choose from.
    """
    mixed = list(others)
    left = [candidate for candidate in candidates if candidate.attempt.is_finite]
    error, chosen, spent = mixture_error(training, mixed), list[str](), 0.0
    while left:
        errors = [mixture_error(training, [*mixed, candidate.attempt]) for candidate in left]
        gains = [(error - each) / max(error, SMALL_ERROR) if math.isfinite(error) else 1.0 for each in errors]
        paying = [i for i, candidate in enumerate(left) if gains[i] >= candidate.least_gain(spent)]
        if not paying:
            for candidate, gain in zip(left, gains, strict=True):
                log.info(
                    "%s would take %.1f %% off the mixture's error on the first fold: its time goes to the others",
                    candidate.attempt.name, 100.0 * max(0.0, gain),
                )  # fmt: skip
            break
        best = left[min(paying, key=errors.__getitem__)]
        error = min(errors[i] for i in paying)
        mixed.append(best.attempt)
        chosen.append(best.attempt.name)
        spent += best.share
        beaten = [other.attempt.name for other in left if other.kind == best.kind and other is not best]
        if beaten:
            log.info("%s is better than %s on the first fold", best.attempt.name, ", ".join(beaten))
        left = [candidate for candidate in left if candidate.kind != best.kind]
    return chosen


def further_folds(seconds_left: float, processes: int, trainings: Sequence[float], folds: int, *, done: int = 0) -> int:
    """How many more folds are left out, so that every training may take its time and no process is idle.

    At least one while there is any time left.

    Args:
        seconds_left: of the time limit.
        processes: that train side by side.
        trainings: seconds that each network takes to be trained to its end.
        folds: that there are, beside the first.
        done: trainings without one of them that are there already.
    """
    if seconds_left <= 0:
        return done // len(trainings)
    # One after another in each process.
    rounds = max(1, round(seconds_left * len(trainings) / max(sum(trainings), 1e-9)))
    return min(folds, max(1, (rounds * processes + done) // len(trainings)))


def left_out_residuals(training: FoldTraining, attempts: Sequence[Attempt]) -> tuple[list[Case], Residuals]:
    """The cases that every attempt was judged on, and the residuals of these free runs."""
    known = set.intersection(*(set(attempt.rows) for attempt in attempts))
    fold_of = {case.name: k for k, part in enumerate(training.folds.parts) for case in part}
    cases = [case for case in training.folds.left_out if case.name in known]
    rows = [[attempt.rows[case.name] for case in cases] for attempt in attempts]
    truth = [case.truth(len(own)) for case, own in zip(cases, rows[0], strict=True)]
    scale = training.surrogate.predicted_scale
    return cases, Residuals.of(rows, truth, [fold_of[case.name] for case in cases], scale)


def mixture_error(training: FoldTraining, attempts: Sequence[Attempt]) -> float:
    """Mean ADE of the targets by the best mixture over the cases of the first fold, of members that are finite.

    Args:
        training: whose targets count.
        attempts: the members.

    Returns:
        In training standard deviations; infinite without members.
    """
    attempts = [attempt for attempt in attempts if attempt.is_finite]
    if not attempts:
        return math.inf
    targets = training.surrogate.description.channels.target_indices
    _, residuals = left_out_residuals(training, attempts)
    residuals = residuals.where(residuals.fold == 0)
    own = Residuals(residuals.values[:, :, targets], residuals.share, residuals.fold)
    return float(own.error_of(without_traces(least_error_weights(own))).mean())
