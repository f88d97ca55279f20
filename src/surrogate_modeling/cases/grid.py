"""Resample cases to a time grid, and find the problems that prevent it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from surrogate_modeling.cases.case_file import RawCase
from surrogate_modeling.cases.offsets import case_offsets
from surrogate_modeling.cases.problems import Problem, line_ranges
from surrogate_modeling.cases.sampling import SamplingLoss, sampling_loss, usual_step
from surrogate_modeling.config.settings import Decimation

# Steps of a case that is not decimated may differ by this share: clocks of loggers jitter.
STEP_TOLERANCE = 1e-3
# Rows of one case: a time column in another unit, or with one wrong value, must not fill the memory.
MAX_GRID_ROWS = 10_000_000


@dataclass(frozen=True)
class Grid:
    """A time grid and how rows are put on it.

    Attributes:
        step: of the grid [s]; None for the rows as they are.
        max_gap: widest gap in time that is interpolated over, in steps of the file; None for any.
        decimation: how a row on the grid is computed.
    """

    step: float | None
    max_gap: float | None
    decimation: Decimation = Decimation.point

    @property
    def key(self) -> str:
        """Text that identifies the grid, for the cache."""
        return f"step {self.step} gap {self.max_gap} {self.decimation}"


@dataclass(frozen=True)
class GridCase:
    """One case on its time grid.

    Attributes:
        names: of the columns after time.
        units: of the same.
        time: (T,) float64 [s].
        values: (T, F) float32, less :attr:`offsets`.
        low: (F,) float64, smallest value of each column.
        high: (F,) float64, largest.
        raw_step: usual step of the file [s].
        loss: information lost on the grid.
        digest: of the file it came from.
        numbers: number of each column in the file, time being 1.
        ignored: names of the columns that were not read.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    time: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    raw_step: float
    loss: SamplingLoss
    digest: str
    numbers: tuple[int, ...]
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: RawCase, grid: Grid, digest: str) -> Self:
        """Resample a file to the grid."""
        time, values, loss = raw.time, raw.values, SamplingLoss.none(raw.values.shape[1])
        if grid.step is not None:
            time, values = decimate(raw.time, raw.values, grid.step, grid.decimation)
            loss = sampling_loss(raw.time, raw.values, time, values)
        low, high = values.min(axis=0), values.max(axis=0)
        offsets = case_offsets(low, high)
        held = (values - offsets if offsets.any() else values).astype(np.float32)
        step = usual_step(raw.time)
        return cls(raw.names, raw.units, time, held, low, high, step, loss, digest, raw.numbers, raw.ignored)

    @property
    def offsets(self) -> np.ndarray:
        """Offset subtracted from each column (F,)."""
        return case_offsets(self.low, self.high)


def grid_problems(file: Path, raw: RawCase, grid: Grid, gap_key: str = "dataset.max_gap") -> list[Problem]:
    """Find the problems that prevent putting a case on the grid; rows of NaN are skipped.

    Args:
        file: for the messages.
        raw: as read.
        grid: to put the case on.
        gap_key: configuration key that allows wide gaps.
    """
    largest = np.finfo(np.float32).max
    # Column extremes first: a table of absolute values would be a second copy of the case. fmax passes over NaN.
    extremes = np.fmax.reduce(raw.values), -np.fmin.reduce(raw.values)
    problems = [
        Problem(
            file,
            f"{line_ranges(raw.lines[np.abs(raw.values[:, i]) > largest].tolist())}, column {raw.numbers[i]} "
            f"('{raw.names[i]}'): values beyond 3e38 do not fit float32; use another unit",
        )
        for i in np.flatnonzero(np.fmax(*extremes) > largest)
    ]
    with np.errstate(over="ignore"):
        steps = np.diff(raw.time)
    increasing = steps[steps > 0]
    if not len(increasing):
        return problems
    usual = float(np.median(increasing))
    wide = np.flatnonzero(steps > (grid.max_gap or np.inf) * usual)
    uneven = np.flatnonzero(np.abs(steps - usual) > STEP_TOLERANCE * usual)
    span = float(np.nanmax(raw.time)) - float(np.nanmin(raw.time))
    at, message = np.array([], dtype=int), ""
    if wide.size:
        at, message = wide, (
            f"gap in time (widest {steps[wide].max():g} s, the usual step is {usual:g} s); interpolating would "
            f"invent data: split the case there, or allow it with {gap_key}=null"
        )  # fmt: skip
    elif grid.step is None and uneven.size:
        at, message = uneven, f"the step differs from the usual {usual:g} s; use settings.use_decimate=True"
    elif grid.step is not None and span / grid.step > max(MAX_GRID_ROWS, len(raw.time)):
        at, message = np.array([len(steps) - 1]), (
            f"{span:g} s of time are {span / grid.step:.3g} rows on a grid of {grid.step:g} s, at most "
            f"{MAX_GRID_ROWS:g} are made; mend the time or use a larger settings.decimate_range"
        )  # fmt: skip
    if message:
        lines = line_ranges(raw.lines[at + 1].tolist())
        problems.append(Problem(file, f"{lines}, column 1 ({raw.time_name!r}): {message}"))
    return problems


def common_step(read: list[tuple[Path, GridCase]]) -> tuple[float, list[Problem]]:
    """The common step [s] of cases that are not decimated, and a problem for each case with another step."""
    steps = [(float(np.median(np.diff(case.time))), file) for file, case in read]
    usual, like = sorted(steps)[(len(steps) - 1) // 2]
    return usual, [
        Problem(file, f"steps of {step:g} s, {like.name} and others have {usual:g} s; use settings.use_decimate=True")
        for step, file in steps
        if abs(step - usual) > STEP_TOLERANCE * usual
    ]


# A grid point this close to the last sample (in steps) counts as reached: t0 + k d is rarely exact in binary.
GRID_TOLERANCE = 1e-6


def decimate(
    time: np.ndarray, values: np.ndarray, step: float, decimation: Decimation = Decimation.point
) -> tuple[np.ndarray, np.ndarray]:
    """Resample rows to the grid t0, t0 + d, t0 + 2d, ... up to the last time reached.

    A row on the grid is interpolated linearly between its neighbours (``point``), or the mean of the rows within half a
    step of its time (``mean``; interpolated where fewer than two are there).

    Args:
        time: (T,) strictly increasing [s].
        values: (T, F).
        step: d [s].
        decimation: how a row on the grid is computed.

    Returns:
        Grid (K,), computed as t0 + k d, and the values on it (K, F), both float64.
    """
    # Times counted from 1970 resolve 2e-7 s only: their rounding must not lose the last grid point.
    rounding = 2 * np.spacing(max(abs(time[0]), abs(time[-1]))) / step
    count = int(np.floor((time[-1] - time[0]) / step + GRID_TOLERANCE + min(rounding, 0.1))) + 1
    grid = time[0] + step * np.arange(count)
    left = np.clip(np.searchsorted(time, grid, side="right") - 1, 0, len(time) - 2)
    weight = np.clip((grid - time[left]) / (time[left + 1] - time[left]), 0.0, 1.0)[:, None]
    start = values[left]
    on_grid = start + weight * (values[left + 1] - start)
    if decimation is Decimation.mean:
        edges = np.searchsorted(time, np.append(grid, grid[-1] + step) - (0.5 + GRID_TOLERANCE) * step)
        counts = np.diff(edges)
        several = np.flatnonzero(counts > 1)
        sums = np.add.reduceat(values[: edges[-1]], edges[:-1][counts > 0], axis=0)
        on_grid[several] = sums[counts[counts > 0] > 1] / counts[several, None]
    return grid, on_grid
