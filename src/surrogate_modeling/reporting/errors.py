"""Errors of a run for a report: map, error over time and distance, truth against prediction, coverage.

Shape letters: B cases, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import warnings

import numpy as np

from surrogate_modeling.evaluation.coverage import Coverage
from surrogate_modeling.evaluation.error_analysis import MAX_DISTANCE, ErrorAnalysis
from surrogate_modeling.evaluation.report import ScoredCases
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.pages.embedding import pack16
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.curves import sampled
from surrogate_modeling.surrogate.band import BandScope

TIME_BINS = 300
# Points of truth against prediction, per column over all cases.
SCATTER_POINTS, MIN_POINTS_PER_CASE = 900, 4


def scores_content(scores: Scores, baselines: dict[str, Scores]) -> Content:
    """ADE and FDE of every case and column, and those of the baselines per column."""
    return {
        "ade": scores.ade.tolist(),
        "fde": scores.fde.tolist(),
        "scale": scores.scale.tolist(),
        "nade": scores.nade,
        "nfde": scores.nfde,
        "case_nade": scores.case_nade.tolist(),
        "diverged": scores.diverged,
        "baselines": {
            name: {
                "ade": other.ade.mean(axis=0).tolist(),
                "fde": other.fde.mean(axis=0).tolist(),
                "case_nade": other.case_nade.tolist(),
                "nade": other.nade,
                "nfde": other.nfde,
            }
            for name, other in baselines.items()
        },
    }


def errors_content(analysis: ErrorAnalysis, scored: ScoredCases) -> Content:
    """Error over time and over distance, and truth against prediction."""
    return {
        "reach": analysis.reach.tolist(),
        "over_time": _over_time(analysis),
        "over_distance": {
            "bins": analysis.distance_bins().tolist(),
            "largest": MAX_DISTANCE,
            "left_out": int((~analysis.shown).sum()),
        },
        "scatter": _scatter(scored),
    }


def _over_time(analysis: ErrorAnalysis) -> Content | None:
    """Mean error of each column, and the quantiles over the cases of the mean of the targets, in bins of time."""
    kept = analysis.shown
    if not kept.any():
        return None
    over_targets = analysis.over_targets[kept]
    there = ~np.isnan(over_targets)
    rows = int(there.any(axis=0).sum())
    starts = np.unique(np.linspace(0, rows, min(TIME_BINS, rows), endpoint=False).astype(int))
    with warnings.catch_warnings():
        # Of a bin that no case reaches the mean is NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        quantiles = np.nanquantile(over_targets[:, :rows], (0.05, 0.95), axis=0)
    counts = np.diff(np.append(starts, rows))[:, None]
    curves = (np.add.reduceat(analysis.by_column[:rows], starts, axis=0) / counts).T
    band = np.stack((np.fmin.reduceat(quantiles[0], starts), np.fmax.reduceat(quantiles[1], starts)))
    curves = np.vstack((curves, band))
    low, high = np.zeros(len(curves)), np.nanmax(np.where(np.isfinite(curves), curves, 0.0), axis=1)
    return {
        "time": analysis.time[starts].tolist(),
        "high": high.tolist(),
        "packed": pack16(curves, low, high),
        "left_out": int((~kept).sum()),
        "shortest": int(there.sum(axis=1).min()),
        "rows": rows,
    }


def _scatter(scored: ScoredCases) -> Content:
    """Some rows of all cases: truth and prediction of each column, the same number of rows of each case."""
    each = max(MIN_POINTS_PER_CASE, SCATTER_POINTS // len(scored.cases))
    truth = sampled([c.truth(len(r)) for c, r in zip(scored.cases, scored.rows, strict=True)], each).T
    predicted = sampled(list(scored.rows), each).T.astype(np.float64)
    low, high = truth.min(axis=1), truth.max(axis=1)
    span = np.where(high > low, high - low, 1.0)
    # Points farther off than a range of the truth lie at the edge.
    low, high = low - span, high + span
    return {
        "each": each,
        "low": low.tolist(),
        "high": high.tolist(),
        "packed": pack16(np.vstack((truth, predicted)), np.tile(low, 2), np.tile(high, 2)),
    }


def coverage_content(table: Coverage) -> list[Content]:
    """Promised and reached coverage of every column, for each scope of the band."""
    channels, together = table.channels, float(table.together.mean())
    inside = {
        BandScope.row: table.rows.mean(axis=0).tolist(),
        BandScope.trajectory: table.whole.mean(axis=0).tolist(),
        # Of a target: what holds for all of them together.
        BandScope.all: [together if name in channels.targets else None for name in channels.predicted],
    }
    return [
        {
            "scope": scope.value,
            "promised": table.level,
            "reached": inside[scope],
            "least": table.rows.min(axis=0).tolist() if scope is BandScope.row else None,
            "half_width": table.half_width[scope].tolist(),
            "all_targets": table.reached(scope),
        }
        for scope in BandScope
    ]
