"""Figures of predicted trajectories, drawn in parallel processes.

Imports no torch: each drawing process starts in a second.

Shape letters: T rows of a case, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import first_line
from surrogate_modeling.evaluation.fonts import find_fonts, use_fonts
from surrogate_modeling.evaluation.thinning import thin_band, thin_curve

log = logging.getLogger(__name__)
# The axis extends at most so many ranges of the truth beyond it; a diverged prediction would flatten the truth.
MAX_TRUTH_RANGES = 20


@dataclass(frozen=True)
class Curve:
    """One predicted column of one case, and the path of its figure.

    ``truth`` (T,) is NaN where it is missing; without the whole truth ``ade`` and ``fde`` are NaN. ``band`` holds the
    lower and the upper edge (H,), ``level`` its nominal probability, and ``outside`` (T,) whether the controls
    of a row leave the training range.
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
    level: float = 0.9
    outside: np.ndarray | None = None


def picture_or_warning(name: str, draw: Callable[[], bytes]) -> bytes | None:
    """Call ``draw``; if it fails, log a warning and return None, because the results do not depend on a figure."""
    try:
        return draw()
    except Exception as error:  # any error: a figure must not end a run
        log.warning("%s could not be drawn: %s", name, first_line(error))
        return None


def draw_figures(curves: Sequence[Curve], workers: int | None) -> Iterator[None]:
    """Draw every curve; yields once per finished figure.

    A picture that cannot be drawn is named in a warning, and the others are drawn.

    Raises:
        NotWritten: the disk is full.
    """
    fonts = find_fonts(text for curve in curves for text in (curve.case, curve.column, curve.unit))
    failed: list[str] = []
    for count, messages in _draw_all(curves, fonts, workers):
        failed += messages
        yield from [None] * count
    if failed:
        log.warning("%d of %d figures could not be drawn, the first: %s", len(failed), len(curves), failed[0])


def _draw_all(curves: Sequence[Curve], fonts: list[str], workers: int | None) -> Iterator[tuple[int, list[str]]]:
    """Draw chunk by chunk; yields the number of curves of each chunk, and the messages of failed ones."""
    count = min(workers or os.cpu_count() or 1, max(1, len(curves) // 8))
    if count == 1:
        for chunk in _chunks(curves, 8):
            yield len(chunk), draw_chunk(chunk, fonts)
        return
    # Not fork: the parent has threads of torch and of the tracking client.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        size = max(8, len(curves) // (8 * count))
        jobs = {pool.submit(draw_chunk, chunk, fonts): len(chunk) for chunk in _chunks(curves, size)}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _chunks(curves: Sequence[Curve], size: int) -> list[Sequence[Curve]]:
    return [curves[i : i + size] for i in range(0, len(curves), size)]


def draw_chunk(curves: Sequence[Curve], fonts: Sequence[str]) -> list[str]:
    """Draw some curves in one reused figure: making axes takes longer than drawing lines.

    Returns:
        A message for each figure that could not be drawn.
    """
    use_fonts(fonts)
    banded = next((curve for curve in curves if curve.band), None)
    canvas = _Canvas(f"{banded.level:.0%} band" if banded else "_band")
    failed = []
    for curve in curves:
        try:
            picture = canvas.draw(curve)
        except Exception as error:  # any error: a figure must not end a run
            failed.append(f"{curve.path}: {first_line(error)}")
            continue
        write_atomic(curve.path, picture, durable=False)
    return failed


class _Canvas:
    """A reusable figure whose lines are replaced for each curve."""

    def __init__(self, band: str) -> None:
        import matplotlib

        matplotlib.rcParams["path.simplify_threshold"] = 0.5
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(8, 3.6), dpi=100)
        FigureCanvasAgg(self.figure)
        self.axes = axes = self.figure.add_axes((0.11, 0.14, 0.87, 0.68))
        (self.truth,) = axes.plot([], [], color="0.25", linewidth=1.4, label="truth")
        (self.predicted,) = axes.plot([], [], color="C3", linewidth=1.1, linestyle="--", label="prediction")
        self.given = axes.axvspan(0, 1, color="0.9", label="given rows")
        (self.band,) = axes.fill([], [], color="C3", alpha=0.18, linewidth=0, label=band)
        self.outside: Any = None
        self.named_outside = False
        axes.set_xlabel("time [s]")
        axes.grid(alpha=0.3)
        self._name_lines()
        self.label = axes.set_ylabel("", parse_math=False)
        self.title = self.figure.text(0.11, 0.93, "", fontsize=10, parse_math=False)

    def draw(self, curve: Curve) -> bytes:
        """PNG of one curve."""
        axes, start = self.axes, len(curve.time) - len(curve.predicted)
        self.truth.set_data(*thin_curve(curve.time, curve.truth))
        shown = np.where(np.isfinite(curve.predicted), curve.predicted, np.nan)
        self.predicted.set_data(*thin_curve(curve.time[start:], shown))
        self.band.set_xy(_outline(curve.time[start:], curve.band))
        self.given.set_bounds(curve.time[0], 0, curve.time[start] - curve.time[0], 1)
        axes.set_xlim(curve.time[0], curve.time[-1])
        low, high, whole = _limits(curve)
        axes.set_ylim(low, high)
        self._mark_outside(curve)
        self.label.set_text(f"{curve.column} [{curve.unit}]")
        note = "" if whole else " (the prediction leaves the picture)"
        scored = f", ADE {curve.ade:.4g} {curve.unit}, FDE {curve.fde:.4g} {curve.unit}"
        self.title.set_text(f"{curve.case}: {curve.column}{'' if np.isnan(curve.ade) else scored}{note}")
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 3})
        return buffer.getvalue()

    def _mark_outside(self, curve: Curve) -> None:
        """Shade the rows whose controls leave the training range, where the band is not valid."""
        marked = curve.outside is not None and bool(curve.outside.any())
        if self.outside is not None:
            self.outside.remove()
            self.outside = None
        if marked:
            rows = np.asarray(curve.outside, dtype=float)
            time, _, shaded = thin_band(curve.time, rows, rows)
            self.outside = self.axes.fill_between(
                time, 0, 1, where=shaded > 0, transform=self.axes.get_xaxis_transform(), color="C1", alpha=0.25,
                linewidth=0, step="mid", label="outside training range",
            )  # fmt: skip
        if marked or self.named_outside:
            self._name_lines()
        self.named_outside = marked

    def _name_lines(self) -> None:
        self.axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=5, frameon=False)


def _outline(time: np.ndarray, band: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """The edges of a band as one closed polygon (N, 2); empty where there is none."""
    if band is None or not np.isfinite(band).all():
        return np.empty((0, 2))
    time, lower, upper = thin_band(time, *band)
    return np.column_stack((np.concatenate((time, time[::-1])), np.concatenate((lower, upper[::-1]))))


def _limits(curve: Curve) -> tuple[float, float, bool]:
    """Axis limits for truth and prediction, and whether the whole prediction is within them."""
    finite, known = curve.predicted[np.isfinite(curve.predicted)], curve.truth[np.isfinite(curve.truth)]
    # A schedule may hold no row of a column.
    shown = known if len(known) else finite if len(finite) else np.zeros(1)
    low, high = float(shown.min()), float(shown.max())
    span = (high - low) or abs(high) * 0.01 or 1.0
    # The given rows alone do not bound the range of the prediction.
    room = np.inf if np.isnan(curve.truth).any() else MAX_TRUTH_RANGES * span
    if len(finite):
        low, high = max(min(low, float(finite.min())), low - room), min(max(high, float(finite.max())), high + room)
    whole = len(finite) == len(curve.predicted) and low <= finite.min() and finite.max() <= high
    margin = 0.05 * ((high - low) or span)
    return low - margin, high + margin, whole
