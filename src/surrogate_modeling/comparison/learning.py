"""Learning curves of a comparison: error against the number of training cases, and what the fitted law says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surrogate_modeling.comparison.law import Law, fit_law, quantiles
from surrogate_modeling.comparison.results import Numbers, Result
from surrogate_modeling.reporting.content import Sentence

# A law has three numbers, and scatter shows between seeds only.
LEAST_COUNTS, LEAST_SEEDS = 3, 2
# The goal where none is asked for, as a part of the error now.
DEFAULT_GOAL = 0.8
# Beyond so many times the cases there are, nothing is promised.
FARTHEST = 10.0


@dataclass(frozen=True)
class LearningCurve:
    """Errors of a model with a recipe, or of a baseline, by the number of training cases.

    Attributes:
        model: as typed.
        recipe: as typed; empty for a baseline.
        cases: (K,) rising.
        errors: (S, K) nADE on the test cases, of the seeds that came to scores with every number; all of a seed in the
            training standard deviations of its most cases.
        lost: seeds that did not.
        pool: number of cases that the training cases are drawn from.
    """

    model: str
    recipe: str
    cases: tuple[int, ...]
    errors: np.ndarray
    lost: tuple[int, ...]
    pool: int

    @property
    def name(self) -> str:
        """Model and recipe."""
        return " ".join(filter(None, (self.model, self.recipe)))

    @property
    def now(self) -> float:
        """Mean error with all cases that there are."""
        return float(self.errors[:, -1].mean())

    @cached_property
    def law(self) -> Law | None:
        """What the errors say; None where they are too few."""
        if len(self.errors) < LEAST_SEEDS or len(self.cases) < LEAST_COUNTS or not (self.errors > 0).all():
            return None
        return fit_law(self.cases, self.errors, self.pool)

    def goal(self, wanted: float | None) -> float:
        """The error that is asked for, or a fifth less than now in two digits."""
        return wanted if wanted is not None else float(f"{DEFAULT_GOAL * self.now:.2g}")


def largest_only(results: Sequence[Result]) -> list[Result]:
    """The results of the largest fraction of the training cases: only equals are put in one table."""
    largest = max((result.fraction for result in results), default=1.0)
    return [result for result in results if result.fraction == largest]


def make_curves(results: Sequence[Result]) -> list[LearningCurve]:
    """A curve of each model and recipe with several fractions, and of the baselines, the least error now first."""
    own: dict[tuple[str, str], dict[int, dict[int, Numbers | None]]] = {}
    pools: dict[tuple[str, str], int] = {}
    # Without scores the number of cases is not known; other seeds have the same.
    counts = {(r.model, r.recipe, r.fraction): (r.cases, r.baseline_cases) for r in results if r.numbers}
    for result in results:
        known = counts.get((result.model, result.recipe, result.fraction))
        if known is None:
            continue
        cases, baseline_cases = known
        entries = [((result.model, result.recipe), cases, result.numbers)]
        # One without parameters learns nothing.
        entries += [((n, ""), baseline_cases, b) for n, b in result.baselines.items() if b.parameters]
        for key, count, numbers in entries:
            own.setdefault(key, {}).setdefault(count, {}).setdefault(result.seed, numbers)
            pools[key] = max(pools.get(key, 0), result.pool)
    curves = [_curve(key, by_count, pools[key]) for key, by_count in own.items() if len(by_count) > 1]
    return sorted(curves, key=lambda curve: curve.now if len(curve.errors) else math.inf)


def _curve(key: tuple[str, str], by_count: dict[int, dict[int, Numbers | None]], pool: int) -> LearningCurve:
    cases = tuple(sorted(by_count))
    seeds = sorted({seed for numbers in by_count.values() for seed in numbers})

    def errors(seed: int) -> list[float]:
        found = [by_count[count].get(seed) for count in cases]
        return [in_scale_of(found[-1], numbers) for numbers in found]

    whole = [seed for seed in seeds if np.isfinite(errors(seed)).all()]
    table = np.array([errors(seed) for seed in whole]).reshape(len(whole), len(cases))
    return LearningCurve(*key, cases, table, tuple(seed for seed in seeds if seed not in whole), pool)


def in_scale_of(most: Numbers | None, numbers: Numbers | None) -> float:
    """nADE in the training standard deviations of another training; infinite without scores."""
    if numbers is None or most is None:
        return math.inf
    return float(np.mean([error * numbers.scale[name] / most.scale[name] for name, error in numbers.targets.items()]))


def say(curve: LearningCurve, wanted: float | None) -> list[Sentence]:
    """What the curve says to somebody who may simulate more cases.

    Args:
        curve: of one model.
        wanted: error that is asked for; None: a fifth less than now.
    """
    law = curve.law
    if law is None:
        return [("learning_none", {"name": curve.name, "seeds": len(curve.errors)})]
    now: Sentence = ("learning_now", {"name": curve.name, "error": shown_error(curve.now), "cases": curve.cases[-1]})
    return [now, _about_goal(curve, law, curve.goal(wanted)), *_about_more(law), _about_floor(law)]


def _about_goal(curve: LearningCurve, law: Law, goal: float) -> Sentence:
    low, middle, high = quantiles(law.cases_for(goal))
    values: dict[str, object] = {"goal": f"{goal:g}"}
    if goal >= curve.now:
        if middle <= curve.cases[0]:
            return "learning_early", {**values, "cases": curve.cases[0]}
        numbers = (min(value, curve.cases[-1]) for value in (low, middle, high))
        return "learning_reached", {**values, **_cases(*numbers)}
    if math.isinf(low):
        return "learning_never", values
    farthest = FARTHEST * law.largest
    if low > farthest:
        return "learning_far", {**values, "times": f"{FARTHEST:g}"}
    if high > farthest:
        return "learning_unsure", {**values, "low": shown_cases(low)}
    return "learning_needs", {**values, **_cases(low, middle, high), "more": shown_cases(middle - law.largest)}


def _about_more(law: Law) -> list[Sentence]:
    low, middle, high = quantiles(law.errors(2 * law.largest))
    errors = {"error": shown_error(middle), "low": shown_error(low), "high": shown_error(high)}
    return [("learning_double", {"cases": 2 * law.largest, **errors})]


def _about_floor(law: Law) -> Sentence:
    low, middle, high = quantiles(law.floor)
    if low < middle / 2:
        return "learning_no_floor", {"high": shown_error(high)}
    return "learning_floor", {"floor": shown_error(middle), "low": shown_error(low), "high": shown_error(high)}


def _cases(low: float, middle: float, high: float) -> dict[str, object]:
    return {"cases": shown_cases(middle), "low": shown_cases(low), "high": shown_cases(high)}


def shown_cases(count: float) -> str:
    """A number of cases for people: whole, from 100 on with two digits; a dash where there is none."""
    if not math.isfinite(count):
        return "-"
    whole = max(1, math.ceil(count - 1e-9))
    return str(whole) if whole < 100 else f"{float(f'{whole:.2g}'):.0f}"


def shown_error(error: float) -> str:
    """An error for people: two digits, as more are not known."""
    return f"{error:.2g}"
