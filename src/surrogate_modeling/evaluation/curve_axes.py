"""One plot of a predicted trajectory on axes that are reused: making axes takes longer than drawing lines.

Shape letters: T rows of a case, H predicted rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.common.wording import column_title, with_unit
from surrogate_modeling.evaluation.thinning import thin_band, thin_curve

# The axis extends at most so many ranges of the truth beyond it; a diverged prediction would flatten the truth.
MAX_TRUTH_RANGES = 20


@dataclass(frozen=True)
class Curve:
    """One predicted column of one case, and the path of its figure.

    ``truth`` (T,) is NaN where it is missing; without the whole truth ``ade`` and ``fde`` are NaN. ``half_width`` (H,)
    is that of the band, ``level`` its nominal probability, and ``outside`` (T,) whether the controls of a row are far
    from the training cases.
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
    half_width: np.ndarray | None = None
    level: float = 0.9
    outside: np.ndarray | None = None


class CurveAxes:
    """Axes with a truth, a prediction and a band, whose lines are replaced for each curve.

    Args:
        axes: of matplotlib.
        band: what the band is called; with a leading underscore it is not.
    """

    def __init__(self, axes: Any, band: str) -> None:
        self.axes = axes
        (self.truth,) = axes.plot([], [], color="0.25", linewidth=1.4, label="truth")
        (self.predicted,) = axes.plot([], [], color="C3", linewidth=1.1, linestyle="--", label="prediction")
        self.given = axes.axvspan(0, 1, color="0.9", label="given rows")
        (self.band,) = axes.fill([], [], color="C3", alpha=0.18, linewidth=0, label=band)
        self.outside: Any = None
        axes.grid(alpha=0.3)
        self.label = axes.set_ylabel("", parse_math=False)

    def draw(self, curve: Curve) -> str:
        """Show a curve; returns its column, its errors, and whether the prediction leaves the picture."""
        axes, start = self.axes, len(curve.time) - len(curve.predicted)
        self.truth.set_data(*thin_curve(curve.time, curve.truth))
        shown = np.where(np.isfinite(curve.predicted), curve.predicted, np.nan)
        self.predicted.set_data(*thin_curve(curve.time[start:], shown))
        self.band.set_xy(_outline(curve))
        self.given.set_bounds(curve.time[0], 0, curve.time[start] - curve.time[0], 1)
        axes.set_xlim(curve.time[0], curve.time[-1])
        low, high, whole = _limits(curve)
        axes.set_ylim(low, high)
        self._mark_outside(curve)
        self.label.set_text(column_title(curve.column, curve.unit))
        note = "" if whole else " (the prediction leaves the picture)"
        ade, fde = (with_unit(f"{error:.4g}", curve.unit) for error in (curve.ade, curve.fde))
        return f"{curve.column}{'' if np.isnan(curve.ade) else f', ADE {ade}, FDE {fde}'}{note}"

    def moving(self) -> list[Any]:
        """What differs between curves with the same times and given rows, and what lies over it."""
        outside = [] if self.outside is None else [self.outside]
        return [self.band, *outside, self.axes.yaxis, self.truth, self.predicted, *self.axes.spines.values()]

    def _mark_outside(self, curve: Curve) -> None:
        """Shade the rows whose controls are far from the training cases, where the band is not valid."""
        if self.outside is not None:
            self.outside.remove()
            self.outside = None
        if curve.outside is not None and curve.outside.any():
            rows = np.asarray(curve.outside, dtype=float)
            time, _, shaded = thin_band(curve.time, rows, rows)
            self.outside = self.axes.fill_between(
                time, 0, 1, where=shaded > 0, transform=self.axes.get_xaxis_transform(), color="C1", alpha=0.25,
                linewidth=0, step="mid", label="far from the training cases",
            )  # fmt: skip


def _outline(curve: Curve) -> np.ndarray:
    """The edges of a curve's band as one closed polygon (N, 2); empty where there is none."""
    mean, half = curve.predicted, curve.half_width
    if half is None or not (np.isfinite(mean).all() and np.isfinite(half).all()):
        return np.empty((0, 2))
    time, lower, upper = thin_band(curve.time[-len(mean) :], mean - half, mean + half)
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
