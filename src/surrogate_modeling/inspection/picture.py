"""The look as one picture: steps that lose information, time constants, columns that move together, and the cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from surrogate_modeling.cases.sampling import LOST_SHARE
from surrogate_modeling.evaluation.figures import new_figure, png_of
from surrogate_modeling.inspection.look import Look

# More columns are not named along the axes.
MOST_LABELS = 70
# Cases named in their plane.
MOST_CASES_NAMED = 12


def draw(look: Look) -> bytes:
    """PNG of four panels."""
    count = len(look.names)
    height = 3.0 + 0.17 * min(count, MOST_LABELS)
    figure = new_figure([*look.names, *look.map.names], figsize=(18, max(6.0, height)), dpi=100)
    steps, speed, together, cases = figure.subplots(1, 4, width_ratios=(1, 1, 2, 2))
    _draw_steps(steps, look)
    _draw_speed(speed, look)
    _draw_together(together, look)
    _draw_cases(cases, look)
    return png_of(figure)


def _label(axes: Any, look: Look, named: bool) -> None:
    count = len(look.names)
    show = named and count <= MOST_LABELS
    axes.set_yticks(range(count) if show else [], look.names if show else [], fontsize=7, parse_math=False)
    axes.set_ylim(count - 0.5, -0.5)


def _draw_steps(axes: Any, look: Look) -> None:
    """The step with which each column loses 1 % of its variance, and the chosen one as a line."""
    sampling = look.sampling
    for i in np.flatnonzero(np.isfinite(sampling.longest)):
        axes.plot([sampling.step, sampling.longest[i]], [i, i], "-", color="0.7", linewidth=0.8)
        axes.plot(
            [sampling.longest[i]], [i], "o", color="C3" if sampling.longest[i] < sampling.step else "C2", markersize=4
        )
    axes.axvline(sampling.step, color="0.3", linestyle="--", linewidth=1.0)
    axes.set_xscale("log")
    axes.set_title(f"step that loses {LOST_SHARE:.0%} [s] (line: chosen)", fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    _label(axes, look, True)


def _draw_speed(axes: Any, look: Look) -> None:
    """A line from 63 % to 95 % of the answer to a step."""
    for i, response in look.responses.items():
        ends = np.maximum([response.seconds, response.settled], look.case_set.step / 2)
        axes.plot(ends, [i, i], "-", color="C0", linewidth=1.2)
        axes.plot(ends[:1], [i], "o", color="C0", markersize=4)
    axes.set_xscale("log")
    axes.set_title("63 % to 95 % of an answer [s]", fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    _label(axes, look, False)


def _draw_together(axes: Any, look: Look) -> None:
    rows = np.concatenate(look.series.cases)
    correlation = rows.T @ rows / len(rows)
    image = axes.imshow(correlation, vmin=-1, vmax=1, cmap="RdBu_r", aspect="auto")
    axes.set_title("correlation in the same row", fontsize=9)
    axes.set_xticks([])
    _label(axes, look, False)
    axes.figure.colorbar(image, ax=axes, shrink=0.5)


def _draw_cases(axes: Any, look: Look) -> None:
    places, names = look.map.places, look.map.names
    suspects = [suspect.case for suspect in look.suspects[:MOST_CASES_NAMED]]
    axes.plot(*places.T, "o", color="0.6", markersize=4)
    for name in suspects:
        if name in names:
            place = places[names.index(name)]
            axes.plot(*place, "o", color="C3", markersize=5)
            axes.annotate(name, place, xytext=(4, 4), textcoords="offset points", fontsize=7, parse_math=False)
    axes.set_title("cases by their two largest differences (red: stand out)", fontsize=9)
    axes.grid(alpha=0.3)
