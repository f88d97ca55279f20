"""Learning curves as one picture: errors over training cases, the fitted laws, and how far they are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate_modeling.comparison.law import Law, quantiles
from surrogate_modeling.comparison.learning import LearningCurve
from surrogate_modeling.evaluation.figures import new_figure, png_of

# The laws are drawn on to so many times the cases there are.
FARTHER = 4.0
POINTS = 80


def draw_curves(curves: Sequence[LearningCurve], goal: float | None) -> bytes:
    """PNG of all curves.

    A dot per seed, a ring for the mean, the law solid as far as there are cases and dashed beyond, its band, and a
    dotted line for a goal that is asked for.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    shown = [curve for curve in curves if len(curve.errors)]
    figure = new_figure([curve.name for curve in shown], figsize=(9, 5.6), dpi=110)
    panel = figure.subplots()
    for i, curve in enumerate(shown):
        _draw_curve(panel, curve, f"C{i % 10}")
    if goal is not None:
        panel.axhline(goal, color="0.3", linestyle=":", linewidth=1.2, label=f"goal {goal:g}")
    panel.set_xscale("log")
    panel.set_yscale("log")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("training cases")
    panel.set_ylabel("nADE on the test cases")
    panel.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=3)
    return png_of(figure)


def _draw_curve(panel: Any, curve: LearningCurve, color: str) -> None:
    for errors in curve.errors:
        panel.plot(curve.cases, errors, ".", color=color, alpha=0.4, markersize=5)
    panel.plot(curve.cases, curve.errors.mean(axis=0), "o", color=color, markersize=6, fillstyle="none",
               label=curve.name)  # fmt: skip
    law = curve.law
    if law is None:
        return
    counts, low, high, best = law_lines(law, curve.cases)
    panel.fill_between(counts, low, high, color=color, alpha=0.12, linewidth=0)
    known = counts <= law.largest
    panel.plot(counts[known], best[known], "-", color=color, linewidth=1.3)
    panel.plot(counts[~known], best[~known], "--", color=color, linewidth=1.3)


def law_lines(law: Law, cases: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of cases, those there are among them, to far beyond; there, both ends of the band and its middle."""
    counts = np.union1d(np.geomspace(cases[0], FARTHER * law.largest, POINTS), cases)
    low, middle, high = np.array([quantiles(law.errors(count)) for count in counts]).T
    return counts, low, high, middle
