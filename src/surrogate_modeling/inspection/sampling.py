"""How fast the columns of the files are: the share of variance that a time step loses, and the step that loses little.

Shape letters: T rows of a file, F columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case_file import CaseFileError, RawCase
from surrogate_modeling.cases.grid import Grid, decimate, grid_problems
from surrogate_modeling.cases.problems import Problem
from surrogate_modeling.cases.sampling import (
    EVENT_SHARE,
    LOST_SHARE,
    SamplingLoss,
    longest_steps,
    lost_shares,
    round_down,
    sampling_loss,
    usual_step,
)
from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.progress import track

# A suggested step is so many times finer: a network wants more than the two rows of a period that show it at all.
MARGIN = 2.0
# Smaller shares are shown as none.
LEAST_SHOWN = 0.001
# Share of the columns that may lose more.
FAST_COLUMNS = 0.1
# A suggested step leaves at least so many rows in the usual case.
MIN_ROWS = 200


@dataclass(frozen=True)
class FileSpeed:
    """One file: its usual step and duration [s], the range of each column, and the loss at the coarsest step."""

    step: float
    duration: float
    low: np.ndarray
    high: np.ndarray
    loss: SamplingLoss


@dataclass(frozen=True)
class Sampling:
    """What the files say about the time step.

    Attributes:
        raw: usual step of the files [s].
        step: chosen, or suggested [s].
        lost: (F,) share of each column's variance that the chosen step loses.
        longest: (F,) step [s] with which that would be ``LOST_SHARE`` in the usual case; infinite where it loses
            less with the ``coarsest``.
        event: (F,) whether rows between two grid points lie far outside of them.
        files: how many were read for this.
        coarsest: step [s] up to which the loss was measured.
    """

    raw: float
    step: float
    lost: np.ndarray
    longest: np.ndarray
    event: np.ndarray
    files: int
    coarsest: float


def find_step(
    files: Sequence[Path], parse: Callable[[Path], RawCase], step: float | None, workers: int | None, bar: bool
) -> Sampling:
    """Measure the loss at a step, or find the coarsest of 1, 2 and 5 times a power of ten that loses little by far.

    Args:
        files: at least one, read at their full rate.
        parse: reads one.
        step: chosen by the user [s]; None for a suggestion.
        workers: threads; None for all cores.
        bar: show a bar on a terminal.

    Raises:
        CaseFileError: a file cannot be put on a time grid, or has other columns than others.
    """
    # Whichever name comes first, what is measured is up to the file of the usual length.
    first = parse(sorted(files, key=lambda file: file.stat().st_size)[(len(files) - 1) // 2])
    raw = usual_step(first.time)
    coarsest = MARGIN * max(raw, float(first.time[-1] - first.time[0]) / MIN_ROWS)

    def at(grid_step: float, limit: float, name: str) -> list[FileSpeed]:
        """Look at all files on one time grid."""

        def speed(file: Path) -> FileSpeed:
            """Look at one of them."""
            return _speed(_usable(file, parse(file), first, grid_step), grid_step, limit)

        with ThreadPoolExecutor(workers or cores()) as pool:
            return list(track(pool.map(speed, files), len(files), name, bar))

    speeds = at(coarsest, LOST_SHARE, "speed of the columns")
    raw = float(np.median([speed.step for speed in speeds]))
    longest = _longest(speeds)
    if step is None:
        usual = float(np.median([speed.duration for speed in speeds]))
        fast = float(np.sort(longest)[int(FAST_COLUMNS * len(longest))])
        step = round_down(max(raw, min(min(fast, coarsest) / MARGIN, usual / MIN_ROWS)), raw)
    if step > raw:
        speeds = at(step, LEAST_SHOWN, "loss at the chosen step")
        lost, event = _lost(speeds)
    else:
        lost, event = np.zeros(len(longest)), np.zeros(len(longest), dtype=bool)
    return Sampling(raw, step, lost, longest, event, len(files), coarsest)


def _usable(file: Path, case: RawCase, first: RawCase, step: float) -> RawCase:
    """A file, where it can be put on the grid and compared with another.

    Raises:
        CaseFileError: it cannot.
    """
    problems = grid_problems(file, case, Grid(step, None))
    if case.names != first.names:
        problems.append(Problem(file, "line 1: other columns than other files"))
    if problems:
        raise CaseFileError(problems, case)
    return case


def _speed(case: RawCase, step: float, limit: float) -> FileSpeed:
    grid, on_grid = decimate(case.time, case.values, step)
    loss = sampling_loss(case.time, case.values, grid, on_grid, limit)
    span = float(case.time[-1] - case.time[0])
    return FileSpeed(usual_step(case.time), span, case.values.min(axis=0), case.values.max(axis=0), loss)


def _longest(speeds: Sequence[FileSpeed]) -> np.ndarray:
    """Step (F,) with which each column loses ``LOST_SHARE`` in the usual case in which it moves."""
    # The lower median: a mean of two would be infinite with one of them.
    return np.nanquantile(longest_steps([speed.loss for speed in speeds]), 0.5, axis=0, method="lower")


def _lost(speeds: Sequence[FileSpeed]) -> tuple[np.ndarray, np.ndarray]:
    """Share of variance lost (F,), and whether a case has rows far outside of their grid points (F,)."""
    spread = np.max([speed.high for speed in speeds], axis=0) - np.min([speed.low for speed in speeds], axis=0)
    events = np.max([speed.loss.event for speed in speeds], axis=0)
    share = lost_shares([speed.loss for speed in speeds])
    return np.where(share >= LEAST_SHOWN, share, 0.0), events > EVENT_SHARE * spread
