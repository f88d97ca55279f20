"""Pictures of predicted trajectories, drawn by all cores.

Imports no torch: each drawing process starts in a second.

Shape letters: T rows of a case, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.common.atomic_file import write_whole

# Scripts beside Latin: the first of these that the machine has.
FONTS = ["DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Yu Gothic", "Hiragino Sans", "MS Gothic"]

RUNAWAY_SPANS = 20


@dataclass(frozen=True)
class Curve:
    """One predicted column of one case and where its picture goes.

    ``truth`` (T,) is NaN where it is not known; without the whole truth ``ade`` and ``fde`` are NaN. ``band`` holds the
    lower and the upper edge (H,).
    """

    path: Path
    case: str
    column: str
    unit: str
    time: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    ade: float
    fde: float
    band: tuple[np.ndarray, np.ndarray] | None = None


def use_fonts() -> None:
    """Let text be of any script that the machine has a font for."""
    import matplotlib
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    matplotlib.rcParams["font.family"] = [name for name in FONTS if name in known]


def draw_figures(curves: Sequence[Curve], workers: int | None) -> Iterator[None]:
    """Draw every curve; yields once for each picture that is done."""
    count = min(workers or os.cpu_count() or 1, max(1, len(curves) // 8))
    if count == 1:
        for chunk in _chunks(curves, 8):
            draw_chunk(chunk)
            yield from [None] * len(chunk)
        return
    # Not fork: the parent holds threads of torch and of the tracking client.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        jobs = {
            pool.submit(draw_chunk, chunk): len(chunk) for chunk in _chunks(curves, max(8, len(curves) // (8 * count)))
        }
        for job in as_completed(jobs):
            job.result()
            yield from [None] * jobs[job]


def _chunks(curves: Sequence[Curve], size: int) -> list[Sequence[Curve]]:
    return [curves[i : i + size] for i in range(0, len(curves), size)]


def draw_chunk(curves: Sequence[Curve]) -> None:
    """Draw some curves in one figure that is used again and again: making axes costs more than drawing lines."""
    import matplotlib

    use_fonts()
    matplotlib.rcParams["path.simplify_threshold"] = 0.5
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.11, 0.14, 0.87, 0.68))
    (truth,) = axes.plot([], [], color="0.25", linewidth=1.4, label="truth")
    (predicted,) = axes.plot([], [], color="C3", linewidth=1.1, linestyle="--", label="prediction")
    given = axes.axvspan(0, 1, color="0.9", label="given rows")
    banded = any(curve.band for curve in curves)
    (band,) = axes.fill([], [], color="C3", alpha=0.18, linewidth=0, label="90 % band" if banded else "_band")
    axes.set_xlabel("time [s]")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=4, frameon=False)
    label = axes.set_ylabel("", parse_math=False)
    title = figure.text(0.11, 0.93, "", fontsize=10, parse_math=False)
    for curve in curves:
        truth.set_data(curve.time, curve.truth)
        start = len(curve.time) - len(curve.predicted)
        predicted.set_data(curve.time[start:], np.where(np.isfinite(curve.predicted), curve.predicted, np.nan))
        band.set_xy(_outline(curve.time[start:], curve.band))
        given.set_bounds(curve.time[0], 0, curve.time[start] - curve.time[0], 1)
        axes.set_xlim(curve.time[0], curve.time[-1])
        low, high, whole = _limits(curve)
        axes.set_ylim(low, high)
        label.set_text(f"{curve.column} [{curve.unit}]")
        note = "" if whole else " (the prediction leaves the picture)"
        scored = f", ADE {curve.ade:.4g} {curve.unit}, FDE {curve.fde:.4g} {curve.unit}"
        title.set_text(f"{curve.case}: {curve.column}{'' if np.isnan(curve.ade) else scored}{note}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 3})
        write_whole(curve.path, buffer.getbuffer(), durable=False)


def _outline(time: np.ndarray, band: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """The edges of a band as one closed polygon (N, 2); empty where there is none."""
    if band is None or not np.isfinite(band).all():
        return np.empty((0, 2))
    lower, upper = band
    return np.column_stack((np.concatenate((time, time[::-1])), np.concatenate((lower, upper[::-1]))))


def _limits(curve: Curve) -> tuple[float, float, bool]:
    """Room for truth and prediction, and whether the whole prediction fits; a runaway would flatten the truth."""
    low, high = float(np.nanmin(curve.truth)), float(np.nanmax(curve.truth))
    span = (high - low) or abs(high) * 0.01 or 1.0
    finite = curve.predicted[np.isfinite(curve.predicted)]
    # The given rows alone are no measure of how far the prediction may go.
    room = np.inf if np.isnan(curve.truth).any() else RUNAWAY_SPANS * span
    if len(finite):
        low, high = max(min(low, float(finite.min())), low - room), min(max(high, float(finite.max())), high + room)
    whole = len(finite) == len(curve.predicted) and low <= finite.min() and finite.max() <= high
    margin = 0.05 * ((high - low) or span)
    return low - margin, high + margin, whole
