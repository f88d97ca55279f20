"""The look as one picture: steps that lose information, time constants, columns that move together, and the cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate_modeling.cases.sampling import LOST_SHARE
from surrogate_modeling.evaluation.figures import new_figure, png_of
from surrogate_modeling.inspection.look import Look

# Columns whose names can be read along the axes; of more, so many are drawn, at most half of them controls.
MOST_LABELS, CHOSEN = 70, 40
# Cases named in their plane.
MOST_CASES_NAMED = 12
# Numbers below a panel that do not touch each other.
MOST_NUMBERS = 6
# Between the outermost points and the edge of their panel.
MARGIN = 1.1


def draw(look: Look) -> bytes:
    """PNG of four panels."""
    columns = columns_to_draw(look)
    height = 3.0 + 0.17 * len(columns)
    figure = new_figure([*look.names, *look.map.names], figsize=(18, max(6.0, height)), dpi=100)
    if len(columns) < len(look.names):
        drawn = f"{len(columns)} of {len(look.names)} columns"
        figure.suptitle(f"{drawn}: controls, targets, and of the others the fastest; all are in look.csv", fontsize=10)
    steps, speed, together, cases = figure.subplots(1, 4, width_ratios=(1, 1, 2, 2))
    _draw_steps(steps, look, columns)
    _draw_speed(speed, look, columns)
    _draw_together(together, look, columns)
    _draw_cases(cases, look)
    return png_of(figure)


def columns_to_draw(look: Look) -> list[int]:
    """Positions of all columns, or of those of many that matter most, in their order."""
    count = len(look.names)
    if count <= MOST_LABELS:
        return list(range(count))
    fastest = np.argsort(look.sampling.longest, kind="stable").tolist()
    controls = [i for i in fastest if i in set(look.controls)]
    predicted = sorted((i for i in fastest if i in set(look.predicted)), key=lambda i: not _is_target(look, i))
    first = [*controls[: CHOSEN // 2], *predicted, *controls[CHOSEN // 2 :]]
    return sorted([*first, *(i for i in fastest if i not in set(first))][:CHOSEN])


def _is_target(look: Look, column: int) -> bool:
    return look.names[column] in look.case_set.channels.targets


def _label(axes: Any, look: Look, columns: Sequence[int], named: bool) -> None:
    names = [look.names[i] for i in columns] if named else []
    axes.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    axes.set_ylim(len(columns) - 0.5, -0.5)


def _scale(axes: Any, seconds: np.ndarray) -> None:
    """A logarithmic axis around what is drawn, with numbers as people write them, at both of its ends too."""
    axes.set_xscale("log")
    shown = seconds[np.isfinite(seconds)]
    if len(shown):
        numbers = axis_numbers(shown.min() / MARGIN, shown.max() * MARGIN)
        axes.set_xlim(numbers[0], numbers[-1])
        axes.set_xticks(numbers, [f"{number:g}" for number in numbers], fontsize=8)
    axes.set_xticks([], minor=True)


def axis_numbers(low: float, high: float) -> np.ndarray:
    """From ``low`` or less to ``high`` or more: 1, 2 and 5 times each power of ten, or powers alone if those are many.

    Matplotlib has none within a power of ten but 2, 3, 4 and 6 times it, written long enough to touch each other.
    """
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    fine = np.outer(10.0**powers, (1, 2, 5)).ravel()
    fine = fine[np.searchsorted(fine, low, "right") - 1 : np.searchsorted(fine, high) + 1]
    if len(fine) <= MOST_NUMBERS:
        return fine
    apart = int(np.ceil((len(powers) - 1) / (MOST_NUMBERS - 1)))
    return 10.0 ** np.arange(powers[0], powers[-1] + apart, apart)


def _draw_steps(axes: Any, look: Look, columns: Sequence[int]) -> None:
    """The step with which each column loses 1 % of its variance, and the chosen one as a line.

    Open triangles: the column loses less with the coarsest step that was measured.
    """
    sampling = look.sampling
    longest = sampling.longest[columns]
    slow = np.flatnonzero(np.isinf(longest) & ~look.series.constant[columns])
    axes.plot(np.full(len(slow), sampling.coarsest), slow, ">", color="C2", markersize=4, markerfacecolor="none")
    for y in np.flatnonzero(np.isfinite(longest)):
        axes.plot([sampling.step, longest[y]], [y, y], "-", color="0.7", linewidth=0.8)
        axes.plot([longest[y]], [y], "o", color="C3" if longest[y] < sampling.step else "C2", markersize=4)
    axes.axvline(sampling.step, color="0.3", linestyle="--", linewidth=1.0)
    _scale(axes, np.append(longest, [sampling.step, sampling.coarsest][: 1 + bool(len(slow))]))
    axes.set_title(f"step that loses {LOST_SHARE:.0%} [s]\n(line: chosen; open: more)", fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    _label(axes, look, columns, True)


def _draw_speed(axes: Any, look: Look, columns: Sequence[int]) -> None:
    """A line from 63 % to 95 % of the answer to a step."""
    places = [y for y, column in enumerate(columns) if column in look.responses]
    shown = [look.responses[columns[y]] for y in places]
    answers = [(response.seconds, response.settled) for response in shown]
    seconds = np.maximum(np.reshape(answers, (-1, 2)), look.case_set.step / 2)
    for y, ends in zip(places, seconds, strict=True):
        axes.plot(ends, [y, y], "-", color="C0", linewidth=1.2)
        axes.plot(ends[:1], [y], "o", color="C0", markersize=4)
    _scale(axes, seconds)
    axes.set_title("63 % to 95 % of an answer [s]", fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    _label(axes, look, columns, False)


def _draw_together(axes: Any, look: Look, columns: Sequence[int]) -> None:
    rows = np.concatenate([case[:, columns] for case in look.series.cases])
    correlation = rows.T @ rows / len(rows)
    image = axes.imshow(correlation, vmin=-1, vmax=1, cmap="RdBu_r", aspect="auto")
    axes.set_title("correlation in the same row", fontsize=9)
    axes.set_xticks([])
    _label(axes, look, columns, False)
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
