"""Information that a case loses on a coarser grid (aliasing, skipped events), and warnings about it.

Shape letters: T rows of a file, K rows on the grid, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from surrogate_modeling.common.wording import lines_and_rest

# Share of a column's variance that a grid may lose without a word: 1 % is an error of 10 % of its standard deviation.
LOST_SHARE = 0.01
# A case in which a column moves less than this share of its usual variance says nothing about its speed.
MIN_VARIANCE_SHARE = 0.01
# Part of a column's range by which rows between two grid points may lie outside of these.
EVENT_SHARE = 0.25
# Steps that differ from those of the file by this share count as equal: clocks jitter.
STEP_TOLERANCE_SHARE = 0.01
MAX_COLUMNS_LISTED = 8


@dataclass(frozen=True)
class SamplingLoss:
    """Information that each column of one case loses on the grid, (F,) each, in the columns' units.

    Attributes:
        variance: of the rows of the file.
        fast: the part of it above the Nyquist frequency of the grid, 1 / (2 d).
        longest: step [s] with which that part would be the limit, ``LOST_SHARE``; infinite where it is not more.
        event: largest excursion of rows beyond the values at their two grid points.
        event_time: where that is [s].
    """

    variance: np.ndarray
    fast: np.ndarray
    longest: np.ndarray
    event: np.ndarray
    event_time: np.ndarray

    @classmethod
    def none(cls, columns: int) -> Self:
        """Zero loss, for a case that keeps all its rows."""
        zeros = np.zeros(columns)
        return cls(zeros, zeros, np.full(columns, np.inf), zeros, zeros)

    @property
    def table(self) -> np.ndarray:
        """All attributes as one array (5, F)."""
        return np.stack([getattr(self, item.name) for item in fields(self)])


def usual_step(time: np.ndarray) -> float:
    """Median of the steps [s] of a file."""
    return float(np.median(np.diff(time)))


def sampling_loss(
    time: np.ndarray, values: np.ndarray, grid: np.ndarray, on_grid: np.ndarray, limit: float = LOST_SHARE
) -> SamplingLoss:
    """Measure the information that a file loses on the grid.

    Args:
        time: (T,) [s].
        values: (T, F).
        grid: (K,) [s].
        on_grid: (K, F).
        limit: share of a column's variance, in place of ``LOST_SHARE``; smaller ones may be given as 0.
    """
    columns = values.shape[1]
    if len(grid) < 2 or (ratio := float(grid[1] - grid[0]) / usual_step(time)) <= 1 + STEP_TOLERANCE_SHARE:
        return SamplingLoss.none(columns)
    found = SamplingLoss(*np.zeros((5, columns)))
    found.longest[:] = np.inf
    edges = np.searchsorted(time, grid)
    # Rows from one grid point to the next; without any there is nothing to lose.
    filled = np.flatnonzero(np.diff(edges) > 0)
    most_rows = int(np.diff(edges).max())
    for j in range(columns):
        # A column at a time: copies of the whole table would double the memory of a large file.
        column = np.ascontiguousarray(values[:, j])
        steps = np.diff(column)
        found.variance[j] = column.var()
        # A difference of neighbours amplifies frequency f by 2 sin(pi f): what lies above the limit shows in it at
        # least so much, and an excursion between two grid points needs a step of its height over half their rows.
        # Most columns are done with these two bounds, which take a tenth of the time of what follows.
        least = 4 * np.sin(np.pi / (2 * ratio)) ** 2
        if np.square(steps).mean() > limit * found.variance[j] * least:
            found.fast[j], rows = _fast_part(column, ratio, limit)
            found.longest[j] = rows * usual_step(time)
        if max(steps.max(), -steps.min()) * most_rows / 2 > EVENT_SHARE * np.ptp(column):
            inside = column[: edges[-1]]
            found.event[j], at = _event(inside, edges[filled], on_grid[filled, j], on_grid[filled + 1, j])
            found.event_time[j] = grid[filled[at]]
    return found


def _fast_part(column: np.ndarray, ratio: float, limit: float) -> tuple[float, float]:
    """Variance above the Nyquist frequency of a grid of every ``ratio`` rows, and the ratio at which its share is the
    limit.
    """
    import scipy.fft

    count = scipy.fft.prev_fast_len(len(column), real=True)
    departure = column[:count] - column[:count].mean()
    power = np.square(np.abs(scipy.fft.rfft(departure)))
    above = np.cumsum(power[::-1])[::-1] / power.sum()
    first = int(count / (2 * ratio)) + 1
    share = float(above[first]) if first < len(above) else 0.0
    if share <= limit:
        return share * float(np.square(departure).mean()), np.inf
    # Highest frequency that must be kept, in cycles over ``count`` rows.
    kept = int(np.flatnonzero(above > limit)[-1])
    return share * float(np.square(departure).mean()), count / (2 * kept)


def _event(column: np.ndarray, starts: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[float, int]:
    """Largest excursion of rows beyond the values at their two grid points, and its interval.

    Args:
        column: (T,) up to the last grid point.
        starts: first row of each interval.
        before: value on the grid at its beginning.
        after: value on the grid at its end.
    """
    above = np.maximum.reduceat(column, starts) - np.maximum(before, after)
    below = np.minimum(before, after) - np.minimum.reduceat(column, starts)
    outside = np.maximum(above, below)
    worst = int(np.argmax(outside))
    return max(0.0, float(outside[worst])), worst


def lost_shares(losses: Sequence[SamplingLoss]) -> np.ndarray:
    """Share (F,) of each column's variance over some cases that the grid loses."""
    variance = np.mean([loss.variance for loss in losses], axis=0)
    fast = np.mean([loss.fast for loss in losses], axis=0)
    return np.asarray(fast / np.where(variance > 0, variance, 1.0))


def longest_steps(losses: Sequence[SamplingLoss]) -> np.ndarray:
    """Step [s] of each case and column (cases, F) with which the limit is lost; NaN where the column hardly moves."""
    variance = np.array([loss.variance for loss in losses])
    moves = variance >= MIN_VARIANCE_SHARE * variance.mean(axis=0)
    return np.where(moves, [loss.longest for loss in losses], np.nan)


@dataclass(frozen=True)
class Sampled:
    """How one case was resampled: name, usual step of its file [s], and the information lost."""

    name: str
    raw_step: float
    loss: SamplingLoss


def sampling_warnings(cases: Sequence[Sampled], names: Sequence[str], ranges: np.ndarray, step: float) -> list[str]:
    """Warnings about a grid that loses much information, or that is finer than the files.

    Args:
        cases: as they were put on the grid.
        names: of the columns (F,).
        ranges: (F,) largest less smallest value of each column over all cases.
        step: of the grid [s].
    """
    usual = float(np.median([case.raw_step for case in cases]))
    if step < usual * (1 - STEP_TOLERANCE_SHARE):
        return [
            f"settings.decimate_range={step:g}: the files have a row every {usual:g} s, so {1 - step / usual:.0%} of "
            f"the rows are made up by interpolation; settings.decimate_range={usual:g} keeps the rows as they are"
        ]
    losses = [case.loss for case in cases]
    share, longest = lost_shares(losses), longest_steps(losses)
    events = np.stack([case.loss.event for case in cases])
    # The range on the grid may be zero.
    ranges = np.maximum(ranges, events.max(axis=0))
    far = events > EVENT_SHARE * ranges
    lines, steps = [], []
    for j in np.argsort(-np.maximum(share, far.any(axis=0)), kind="stable"):
        parts = []
        if share[j] > LOST_SHARE:
            parts.append(f"{share[j]:.0%} of its variance is faster than the grid can show")
            steps.append(float(np.nanmin(longest[:, j])))
        if far[:, j].any():
            case = cases[int(events[:, j].argmax())]
            parts.append(
                f"in {far[:, j].sum()} case(s) rows between two grid points lie outside of them, by up to "
                f"{case.loss.event[j]:.3g} ({case.name} after {case.loss.event_time[j]:g} s)"
            )
            steps.append(usual)
        if parts:
            lines.append(f"{names[j]!r}: {'; '.join(parts)}")
    if not lines:
        return []
    finer = round_down(max(usual, min(steps)), usual)
    return [
        f"settings.decimate_range={step:g} loses what happens between the rows it keeps:\n  "
        + "\n  ".join(lines_and_rest(lines, MAX_COLUMNS_LISTED))
        + f"\n  settings.decimate_range={finer:g} keeps it; settings.decimate=mean takes the mean of each step instead "
        "of a point"
    ]


def round_down(step: float, least: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above a step, or ``least`` where that is more."""
    power = 10.0 ** np.floor(np.log10(step))
    return max(least, float(max(m * power for m in (1, 2, 5) if m * power <= step * (1 + 1e-9))))
