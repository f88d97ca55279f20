"""Learning curves as sentences, rows of cells and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from surrogate_modeling.common.tables import csv_text
from surrogate_modeling.comparison.law import LEVEL, quantiles
from surrogate_modeling.comparison.learning import FARTHEST, LearningCurve, say, shown_cases, shown_error
from surrogate_modeling.comparison.table import number, with_spread
from surrogate_modeling.pages.texts import filled, page_texts

# A floor that is so small a part of the error is none.
NO_SHARE = 1e-3
CURVE_NOTE = (
    "nADE on the test cases by the number of training cases, mean ± standard deviation over the seeds. The law is "
    f"floor + a n^-b, in brackets what {100 * LEVEL:.0f} % of the laws that agree with the errors say; - in place of a "
    "number of cases: more cases alone do not reach it."
)


def told(curve: LearningCurve, goal: float | None) -> str:
    """What the curve says, in English: one line."""
    texts = page_texts("comparison", "en")
    return " ".join(filled(texts[key], **values) for key, values in say(curve, goal))


def curve_table(curves: Sequence[LearningCurve], goal: float | None) -> list[list[str]]:
    """Cells of one line per curve, with the head: the errors, and what the law says."""
    counts = sorted({count for curve in curves for count in curve.cases})
    head = ["model", "recipe", "seeds", *(f"{count} cases" for count in counts)]
    lines = [[*head, "law", "floor", "b", "twice the cases", "goal", "cases for it"]]
    return [*lines, *(_cells(curve, counts, goal) for curve in curves)]


def _cells(curve: LearningCurve, counts: Sequence[int], goal: float | None) -> list[str]:
    errors = dict(zip(curve.cases, curve.errors.T, strict=True))
    seeds = f"{len(curve.errors)}/{len(curve.errors) + len(curve.lost)}" if curve.lost else str(len(curve.errors))
    cells = [curve.model, curve.recipe or "-", seeds, *(_mean(errors.get(count)) for count in counts)]
    law = curve.law
    if law is None:
        return [*cells, *["-"] * 6]
    level, share, exponent = law.best
    floor = level * share if share > NO_SHARE else 0.0
    wanted = curve.goal(goal)
    return [
        *cells,
        f"{floor:.2g} + {level * (1 - share) * law.largest**exponent:.2g} n^-{exponent:.2g}",
        _interval(law.floor),
        _interval(law.exponent),
        _interval(law.errors(2 * law.largest)),
        f"{wanted:g}",
        _interval(law.cases_for(wanted), lambda count: _shown_within(count, FARTHEST * law.largest)),
    ]


def _mean(errors: np.ndarray | None) -> str:
    if errors is None or not len(errors):
        return "-"
    return with_spread(float(errors.mean()), float(errors.std(ddof=1))) if len(errors) > 1 else number(errors[0])


def _interval(values: np.ndarray, shown: Callable[[float], str] = shown_error) -> str:
    low, middle, high = map(shown, quantiles(values))
    return f"{middle} ({low} to {high})"


def _shown_within(count: float, farthest: float) -> str:
    return f">{farthest:.0f}" if farthest < count < np.inf else shown_cases(count)


def curves_csv(curves: Sequence[LearningCurve]) -> str:
    """One line per curve and number of cases that was trained with, and what the law says of other numbers."""
    lines: list[list[object]] = [["model", "recipe", "cases", "seeds", "nADE", "law", "law_low", "law_high"]]
    for curve in curves:
        law = curve.law
        farther = [] if law is None else [round(factor * law.largest) for factor in (1.5, 2, 3, 5)]
        means = dict(zip(curve.cases, curve.errors.mean(axis=0), strict=True)) if len(curve.errors) else {}
        for count in (*curve.cases, *farther):
            ends = ("", "", "") if law is None else quantiles(law.errors(count))
            own = [curve.model, curve.recipe, count, len(curve.errors), means.get(count, "")]
            lines.append([*own, ends[1], ends[0], ends[2]])
    return csv_text(lines)


def curve_metrics(curves: Sequence[LearningCurve], goal: float | None) -> dict[str, float]:
    """For the tracking store: floor and exponent of each law, and the cases that the goal takes where it is reached."""
    metrics: dict[str, float] = {}
    for curve in curves:
        if (law := curve.law) is None:
            continue
        needed = law.cases_for(curve.goal(goal))
        values = {"floor": law.floor, "exponent": law.exponent, "cases_for_goal": needed}
        for name, drawn in values.items():
            for end, value in zip(("low", "", "high"), quantiles(drawn), strict=True):
                key = "_".join(filter(None, (name, end)))
                metrics |= {f"{key}/{curve.name}": value} if np.isfinite(value) else {}
    return metrics
