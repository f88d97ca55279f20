"""Figure of an error analysis: a map by case and column, error over time, and error over distance.

Shape letters: B cases, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from surrogate_modeling.evaluation.error_analysis import BIN_WIDTH, MAX_DISTANCE, MAX_SHOWN_ERROR, ErrorAnalysis
from surrogate_modeling.evaluation.figures import new_figure, png_of
from surrogate_modeling.evaluation.thinning import thin_band, thin_mean

# Cases in the map, the worst ones; the other panels and the CSV have all.
MAX_MAP_CASES = 120
# With more columns the other panels are placed below the map, not beside it.
MAX_COLUMNS_BESIDE_PANELS = 14
MAX_TARGET_CURVES = 8
# Errors below the largest that is shown by this factor share one colour, and so do those above MAX_SHOWN_ERROR.
COLOR_RATIO = 50.0
MIN_COLORBAR_INCHES = 1.6
MAX_LABEL_CHARACTERS = 28


def draw_errors(analysis: ErrorAnalysis) -> bytes:
    """Draw the error analysis as PNG: cases by columns, error over time, and over distance from the training cases."""
    shown, columns = analysis.worst_first[:MAX_MAP_CASES], _columns(analysis)
    row = 0.24 if len(shown) <= 30 else 0.15 if len(shown) <= 60 else 0.105
    height, width = row * len(shown), max(0.24 * len(columns), 0.5 * min(len(columns), 8))
    figure = new_figure((*analysis.scores.cases, *analysis.scores.channels.predicted), dpi=120)
    # Space below the map, in inches: title and names of the columns.
    below = max(
        0.7 + 0.075 * max(len(_cut(analysis.scores.channels.predicted[j])) for j in columns), MIN_COLORBAR_INCHES + 0.5
    )
    names = 0.075 * max(min(len(analysis.scores.cases[i]), MAX_LABEL_CHARACTERS) for i in shown)
    if len(columns) <= MAX_COLUMNS_BESIDE_PANELS:
        left = width + names + 2.0
        figure.set_size_inches(left + 7.5, max(6.8, height + below))
        parts: Any = figure.subfigures(1, 2, width_ratios=(left, 7.5))
        panels = parts[1].subplots(2, 1)
    else:
        figure.set_size_inches(max(12.0, width + names + 2.0), height + below + 3.8)
        parts = figure.subfigures(2, 1, height_ratios=(height + below, 3.8))
        panels = parts[1].subplots(1, 2)
    axes = parts[0].subplots()
    _draw_map(parts[0], axes, analysis, shown, columns, (width, height))
    axes.set_box_aspect(height / width)
    axes.set_anchor("N")
    _draw_growth(panels[0], analysis)
    _draw_positions(panels[1], analysis)
    return png_of(figure)


def _columns(analysis: ErrorAnalysis) -> list[int]:
    """Indices of the columns, targets first, each kind in the order of the files."""
    targets = analysis.scores.channels.target_indices
    return [*targets, *(j for j in range(len(analysis.scores.channels.predicted)) if j not in set(targets))]


def _draw_map(
    part: Any, axes: Any, analysis: ErrorAnalysis, shown: np.ndarray, columns: list[int], size: tuple[float, float]
) -> None:
    from matplotlib.colors import LogNorm

    scores = analysis.scores
    errors = analysis.column_errors[shown][:, columns]
    near = errors[(errors > 0) & (errors <= MAX_SHOWN_ERROR)]
    high = max(float(near.max(initial=0.0)), 1e-3) if len(near) else MAX_SHOWN_ERROR
    least = max(float(near.min(initial=high)), high / COLOR_RATIO)
    norm = LogNorm(min(least, 0.9 * high), high)
    # Diverged cases are black, which is not in the colour map.
    filled = np.where(np.isfinite(errors), np.maximum(errors, norm.vmin or least), np.nan)
    import matplotlib

    colors = matplotlib.colormaps["YlOrRd"].with_extremes(bad="black")
    image = axes.imshow(filled, norm=norm, cmap=colors, aspect="auto", interpolation="nearest")
    letters = max(5.5, min(8.0, 36 * size[1] / len(shown)))
    labels = [_cut(scores.cases[i]) for i in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=letters, parse_math=False)
    names = [_cut(scores.channels.predicted[j]) for j in columns]
    axes.set_xticks(range(len(columns)), names, fontsize=8, rotation=90, parse_math=False)
    targets = len(scores.channels.targets)
    if targets < len(columns):
        axes.axvline(targets - 0.5, color="0.2", linewidth=1.2)
    width, height = size
    share = max(1.0, MIN_COLORBAR_INCHES / height)
    beside = axes.inset_axes((1 + 0.12 / width, 1 - share, 0.12 / width, share))
    part.colorbar(image, cax=beside).set_label("ADE / training std", fontsize=8)
    count = f"the worst {len(shown)} of {len(scores.cases)}" if len(shown) < len(scores.cases) else str(len(shown))
    split = "; targets left of the line" if targets < len(columns) else ""
    black = "; black: diverged" if scores.diverged else ""
    title = f"Error by case and column\n{count} cases, worst first{split}{black}"
    part.suptitle(title, fontsize=10, x=0.01, ha="left")


def _draw_growth(axes: Any, analysis: ErrorAnalysis) -> None:
    scores, kept = analysis.scores, analysis.shown
    axes.set_title(f"Error over time{_without(analysis)}", fontsize=10)
    axes.set_xlabel("time since the last given row [s]")
    axes.set_ylabel("|error| / training std")
    axes.grid(alpha=0.3)
    if not kept.any():
        return
    by_case = analysis.over_targets[kept]
    # The longest case may have diverged.
    rows = int((~np.isnan(by_case)).any(axis=0).sum())
    time, by_case = analysis.time[:rows], by_case[:, :rows]
    time, low, high = thin_band(time, *np.nanquantile(by_case, (0.05, 0.95), axis=0))
    axes.fill_between(time, low, high, color="0.5", alpha=0.25, linewidth=0, label="90 % of the cases")
    if 1 < len(scores.channels.targets) <= MAX_TARGET_CURVES:
        for j, name in zip(scores.channels.target_indices, scores.channels.targets, strict=True):
            axes.plot(time, thin_mean(analysis.by_column[:rows, j]), linewidth=0.9, label=_literal(name))
    axes.plot(time, thin_mean(_mean_of_cases(by_case)), "k", linewidth=1.8, label="mean of targets")
    ended = np.isnan(by_case[:, -1]).any()
    if ended:
        axes.set_xlabel("time since the last given row [s], of the cases that are that long")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, time[-1])
    axes.legend(fontsize=7, ncols=2)


def _mean_of_cases(errors: np.ndarray) -> np.ndarray:
    """Mean over the cases (B, H) that reach each row, (H,)."""
    return np.asarray(np.nanmean(errors, axis=0, dtype=np.float64))


def _draw_positions(axes: Any, analysis: ErrorAnalysis) -> None:
    """Mean error in bins of the rows' distance, and a point per case at its largest distance."""
    kept = analysis.shown
    axes.set_title(f"Error against distance from the training cases{_without(analysis)}", fontsize=10)
    axes.set_xlabel("1: as far as training cases are apart; beyond 1: not trained on")
    axes.set_ylabel("|error| / training std, mean of targets")
    axes.grid(alpha=0.3)
    # A surrogate that was built by hand has no training range.
    if not kept.any() or np.isnan(analysis.reach[kept]).all():
        return
    position = np.minimum(analysis.position[kept], MAX_DISTANCE)
    if len(bins := analysis.distance_bins()):
        middle, mean, low, high = bins.T
        axes.fill_between(middle, low, high, color="0.5", alpha=0.25, linewidth=0, label="90 % of the rows")
        axes.plot(middle, mean, "k.-", linewidth=1.5, label="mean of the rows there")
    reach = np.minimum(analysis.reach[kept], MAX_DISTANCE)
    axes.plot(reach, analysis.scores.case_nade[kept], "o", color="C3", alpha=0.7, markersize=4,
              label="a case: its farthest row, its nADE")  # fmt: skip
    right = max(1.1, float(reach.max()) + 0.05)
    axes.axvspan(1.0, right, color="C1", alpha=0.12, linewidth=0)
    # Left edge of the first occupied bin.
    left = BIN_WIDTH * (math.ceil(min(float(np.nanmin(position)), float(reach.min())) / BIN_WIDTH - 1e-6) - 1)
    axes.set_xlim(max(0.0, left), right)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7)


def _without(analysis: ErrorAnalysis) -> str:
    lost = int((~analysis.shown).sum())
    return f", without {lost} that diverged (nADE > {MAX_SHOWN_ERROR:g})" if lost else ""


def _cut(name: str) -> str:
    return name if len(name) <= MAX_LABEL_CHARACTERS else f"{name[: MAX_LABEL_CHARACTERS - 1]}…"


def _literal(name: str) -> str:
    """Escape a name for a legend, which reads dollars as mathematics and hides names with a leading underscore."""
    text = _cut(name).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
