"""The comparison as one picture: a line per model and recipe, a panel per quantity."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate_modeling.comparison.results import Row
from surrogate_modeling.evaluation.figures import new_figure, png_of

# Title, attribute of Numbers, factor, logarithmic.
PANELS = (
    ("nADE", "nade", 1.0, False),
    ("nFDE", "nfde", 1.0, False),
    ("training [min]", "fit_seconds", 1 / 60, True),
    ("prediction [ms/case]", "seconds_per_case", 1000.0, True),
    ("parameters", "parameters", 1.0, True),
)
# A score of more than so many times the worst baseline's is drawn at the edge, with its value: it would flatten the
# others.
LARGEST_RATIO = 2.0
# Letters of one line of a label.
LABEL_WIDTH = 34


def draw(rows: Sequence[Row]) -> bytes:
    """PNG of all rows, best at the top; a point per seed, a bar for the mean, dashed lines for the baselines."""
    shown = list(rows)
    labels = [_label(row) for row in shown]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    figure = new_figure(labels, figsize=(13 + 0.075 * longest, 1.5 + 0.34 * len(shown)), dpi=110)
    axes = figure.subplots(1, len(PANELS), sharey=True, width_ratios=(2, 2, 1, 1, 1))
    for panel, (title, name, factor, logarithmic) in zip(axes, PANELS, strict=True):
        _draw_panel(panel, shown, name, factor, logarithmic)
        panel.set_title(title, fontsize=10)
        panel.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(shown)), labels, parse_math=False)
    axes[0].set_ylim(len(shown) - 0.5, -0.5)
    return png_of(figure)


def _label(row: Row) -> str:
    """Model and recipe, on several lines where they are long."""
    text = f"{row.model}, {row.recipe}" if row.recipe else row.model
    return textwrap.fill(text, LABEL_WIDTH, break_long_words=False, break_on_hyphens=False)


def _draw_panel(panel: Any, rows: Sequence[Row], name: str, factor: float, logarithmic: bool) -> None:
    values = [row.values(name) * factor for row in rows]
    edge = math.inf if logarithmic else _edge(rows, name)
    for y, (row, runs) in enumerate(zip(rows, values, strict=True)):
        color = "0.55" if row.is_baseline else "C0"
        inside = runs[np.isfinite(runs) & (runs <= edge)]
        mean = float(runs.mean()) if len(runs) else math.inf
        if logarithmic:
            panel.plot(runs[runs > 0], [y] * int((runs > 0).sum()), "o", color=color, markersize=4)
            continue
        if not len(runs):
            panel.annotate("no result", (0, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
            continue
        panel.barh(y, min(mean, edge), color=color, alpha=0.35, height=0.7)
        if row.is_baseline and mean <= edge:
            panel.axvline(mean, color="0.4", linestyle="--", linewidth=0.8)
        panel.plot(inside, [y] * len(inside), "o", color=color, markersize=4)
        text = f"{mean:.3g}" if math.isfinite(mean) else "diverged"
        where = edge if mean >= edge else max(mean, inside.max(initial=0.0))
        panel.annotate(text, (where, y), xytext=(-4 if mean >= edge else 5, 0), textcoords="offset points",
                       va="center", ha="right" if mean >= edge else "left", fontsize=8)  # fmt: skip
    if logarithmic:
        if any((runs > 0).any() for runs in values):
            panel.set_xscale("log")
    else:
        panel.set_xlim(0, edge)


def _edge(rows: Sequence[Row], name: str) -> float:
    """Where the axis ends: a little beyond the worst that is no runaway."""
    means = [row.mean(name) for row in rows if row.runs and math.isfinite(row.mean(name))]
    if not means:
        return 1.0
    baselines = [row.mean(name) for row in rows if row.is_baseline]
    limit = LARGEST_RATIO * max(baselines) if baselines else math.inf
    return 1.18 * max((mean for mean in means if mean <= limit), default=limit) or 1.0
