"""Trajectories of the test cases for a report, thinned and packed.

Shape letters: T rows of a case, H predicted rows, C controls, P predicted columns, K points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.evaluation.curve_axes import MAX_TRUTH_RANGES
from surrogate_modeling.evaluation.report import ScoredCases
from surrogate_modeling.evaluation.thinning import thin_table
from surrogate_modeling.pages.embedding import pack16
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.surrogate.band import Band, BandScope

# Numbers of all trajectories together, so that a page stays below some megabytes; but each curve has its points.
MAX_VALUES, MIN_POINTS, MAX_POINTS = 1_800_000, 240, 4000
# Of the span of a curve, by which its limits may be rounded; it is packed in 65534 steps.
SHORTENED = 1e-6


def curves_content(
    scored: ScoredCases, band: Band | None, spreads: Sequence[np.ndarray] | None
) -> tuple[list[Content], list[str]]:
    """Description of each case's curves, and the curves as packed texts.

    The curves of a case are its controls, then truth and prediction of all predicted columns, and the half-widths of
    their bands of rows and of trajectories. That of all targets is a multiple of the last.

    Args:
        scored: the cases.
        band: of the surrogate; None if it has none.
        spreads: of its members over each case (H, P); None without a band.
    """
    channels = scored.scores.channels
    arrays = len(channels.controls) + len(channels.predicted) * (2 if band is None else 4)
    points = int(np.clip(MAX_VALUES // (arrays * len(scored.cases)), MIN_POINTS, MAX_POINTS))
    described, packed = [], []
    for i in range(len(scored.cases)):
        widths = [] if band is None or spreads is None else _half_widths(band, spreads[i])
        content, text = _case(scored, i, points, widths)
        described.append(content)
        packed.append(text)
    return described, packed


def _half_widths(band: Band, spread: np.ndarray) -> list[np.ndarray]:
    return [band.half_width(len(spread), spread, scope) for scope in (BandScope.row, BandScope.trajectory)]


def all_targets_ratio(band: Band) -> list[float]:
    """Half-width of the band of all targets over that of trajectories, of each predicted column."""
    own, every = band.factors(BandScope.trajectory), band.factors(BandScope.all)
    return np.where(own > 0, every / np.where(own > 0, own, 1.0), 1.0).tolist()


def _case(scored: ScoredCases, i: int, points: int, widths: Sequence[np.ndarray]) -> tuple[Content, str]:
    case, rows = scored.cases[i], scored.rows[i].astype(np.float64)
    given = len(case.time) - len(rows)
    before = np.full((given, rows.shape[1]), np.nan)
    outputs = case.outputs.astype(np.float64)
    low, high, leaves = drawing_limits(outputs, rows)
    shown = np.where(np.isfinite(rows), np.clip(rows, low, high), np.nan)
    parts = [case.controls.astype(np.float64), outputs, np.vstack((before, shown))]
    parts += [np.vstack((before, np.where(np.isfinite(width), width, np.nan))) for width in widths]
    curves = np.hstack(parts).T
    content, text = pack_curves(case.time, curves, points)
    marks = {
        "given": given,
        "leaves": np.flatnonzero(leaves).tolist(),
        "outside": _stretches(scored.positions[i].outside) if scored.positions else [],
    }
    return {**content, **marks}, text


def pack_curves(time: np.ndarray, curves: np.ndarray, points: int) -> tuple[Content, str]:
    """Thin and pack curves (N, T) over time (T,), to so many points each; their description, and the packed text."""
    whole = len(time) <= points
    if not whole:
        curves = thin_table(curves, points // 2)
    low, high = _limits(curves)
    content: Content = {
        "start": float(time[0]),
        "end": float(time[-1]),
        "rows": len(time),
        "points": curves.shape[1],
        "whole": whole,
        "low": low,
        "high": high,
    }
    return content, pack16(curves, np.array(low), np.array(high))


def drawing_limits(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits (P,) of what is drawn of a prediction, and whether it leaves them (P,) or is not finite somewhere.

    A diverged prediction would flatten the truth: as in the figures it is drawn up to some ranges beyond it.
    """
    low, high = np.nanmin(truth, axis=0), np.nanmax(truth, axis=0)
    span = np.where(high > low, high - low, np.maximum(np.abs(high) * 0.01, 1e-9))
    low, high = low - MAX_TRUTH_RANGES * span, high + MAX_TRUTH_RANGES * span
    inside = (predicted >= low) & (predicted <= high)
    return low, high, ~inside.all(axis=0)


def _extremes(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest finite value of each curve (N, K); 0 where there is none."""
    known = np.isfinite(curves)
    low, high = np.where(known, curves, np.inf).min(axis=1), np.where(known, curves, -np.inf).max(axis=1)
    return np.where(known.any(axis=1), low, 0.0), np.where(known.any(axis=1), high, 0.0)


def _limits(curves: np.ndarray) -> tuple[list[float], list[float]]:
    """Smallest and largest value of each curve, to nine digits where that moves them by far less than a packed step."""
    low, high = _extremes(curves)
    most = SHORTENED * (high - low)
    return _shortened(low, most), _shortened(high, most)


def _shortened(values: np.ndarray, most: np.ndarray) -> list[float]:
    short = np.array([float(f"{value:.9g}") for value in values])
    return np.where(np.abs(short - values) <= most, short, values).tolist()


def _stretches(mask: np.ndarray) -> list[list[int]]:
    """First and last row of each stretch where the mask (T,) is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [[int(first), int(last) - 1] for first, last in zip(edges[::2], edges[1::2], strict=True)]


def sampled(values: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Evenly spaced rows of each of some arrays (T, P), ``count`` of each, one below the other."""
    return np.concatenate([array[np.linspace(0, len(array) - 1, count).astype(int)] for array in values])
