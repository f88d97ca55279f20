"""Read control schedules for a trained surrogate: CSVs in the case format with fewer required values.

A schedule needs its controls in every row, and the predicted columns in the first rows only, or not at all. Columns are
found by name, in any order; columns that the surrogate does not have are ignored and may hold anything.

Imports no torch.

Shape letters: T rows of a case, F columns of the surrogate (controls, then predicted).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.case_file import CaseFileError, RawCase
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.folder import list_case_files
from surrogate_modeling.cases.grid import GRID_TOLERANCE, STEP_TOLERANCE, Grid, decimate, grid_problems
from surrogate_modeling.cases.parsing import parse_file
from surrogate_modeling.cases.problems import MAX_LISTED_PROBLEMS, Problem, file_refusal, name_problems
from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.settings import Decimation

log = logging.getLogger(__name__)
# Largest chunk of files read at a time, so that memory does not grow with their number.
CHUNK_BYTES, CHUNK_FILES = 32_000_000, 512


@dataclass(frozen=True)
class Demands:
    """Requirements of a surrogate on a schedule.

    Attributes:
        channels: its columns and their units.
        in_len: rows before the first predicted one.
        given: those of them in which every predicted column is given; 0 where the columns need not be there.
        grid: the time grid it steps on, with the widest gap that is interpolated over.
        parameters: by name of the schedule, the value of each parameter in its unit of the surrogate; where there are
            none they are columns of the schedules.
    """

    channels: Channels
    in_len: int
    given: int
    grid: Grid
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def step(self) -> float:
        """Step of the grid [s], which every surrogate has."""
        assert self.grid.step is not None
        return self.grid.step


@dataclass(frozen=True)
class Schedule:
    """A control schedule on the surrogate's step, NaN where predicted columns are missing; whether none is missing."""

    case: Case
    has_truth: bool


def is_pattern(place: Path) -> bool:
    """Whether the last part of a path names several files (``case*.csv``)."""
    return any(mark in place.name for mark in "*?[") and not place.exists()


def schedule_files(place: str | Path) -> list[Path]:
    """List schedule files in name order: one file, the ``*.csv`` of a folder, or a pattern (``folder/case*.csv``).

    Raises:
        UserError: nothing there, or names that cannot be those of cases.
    """
    place = expanded(place, "cases")
    if place.is_file():
        files = [place]
    elif is_pattern(place):
        files = list_case_files(place.parent, place.name, key="cases")
    else:
        files = list_case_files(place, key="cases")
    if problems := name_problems(files):
        raise file_refusal(place, problems, most=MAX_LISTED_PROBLEMS)
    return files


def read_chunks(
    files: Sequence[Path], demands: Demands, workers: int | None = None
) -> Iterator[tuple[list[Schedule], list[Problem]]]:
    """Read the files in chunks; yields the valid schedules and the problems of the other files."""
    with ThreadPoolExecutor(workers or cores()) as pool:
        for chunk in _chunks(files):
            schedules: list[Schedule] = []
            problems: list[Problem] = []
            for result in pool.map(lambda file: read_schedule(file, demands), chunk):
                if isinstance(result, Schedule):
                    schedules.append(result)
                else:
                    problems += result
            yield schedules, problems


def _chunks(files: Sequence[Path]) -> Iterator[list[Path]]:
    chunk: list[Path] = []
    size = 0
    for file in files:
        bytes_here = file.stat().st_size if file.exists() else 0
        if chunk and (size + bytes_here > CHUNK_BYTES or len(chunk) == CHUNK_FILES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += bytes_here
    if chunk:
        yield chunk


def read_schedule(file: Path, demands: Demands) -> Schedule | list[Problem]:
    """Read one file and resample it to the surrogate's step, or return all its problems."""
    channels = demands.channels
    try:
        raw = parse_file(file, file.read_bytes(), channels.controls, lambda name: name not in channels.units)
    except CaseFileError as error:
        return error.problems
    except OSError as error:
        return [Problem(file, f"cannot be read: {error.strerror}")]
    problems = _column_problems(file, raw, demands) or _step_problems(file, raw, demands)
    if problems:
        return problems
    columns = _columns(raw, channels, demands.parameters.get(file.stem, {}))
    if problems := _varying(file, columns, channels):
        return problems
    time, values, valid_rows = _on_grid(raw.time, columns, len(channels.controls), demands)
    values = channels.held(values)
    given = valid_rows[len(channels.controls) :]
    if len(time) <= demands.in_len:
        return [
            Problem(
                file,
                f"{len(time)} rows on the surrogate's step of {demands.step:g} s; it starts from {demands.in_len} "
                "and predicts from the next on, so at least one more is needed",
            )
        ]
    lacking = [
        f"{name!r} ({rows} rows)" for name, rows in zip(channels.predicted, given, strict=True) if rows < demands.given
    ]
    if lacking:
        mean = ""
        if demands.grid.decimation is Decimation.mean:
            end = raw.time[0] + (demands.given - 0.5) * demands.step
            mean = f", each a mean up to half a step later (settings.decimate=mean): from all rows before {end:g} s"
        return [
            Problem(
                file,
                f"the prediction starts from {demands.given} rows of every predicted column on a step of "
                f"{demands.step:g} s{mean}; too few are given of {', '.join(lacking)}",
            )
        ]
    return Schedule(Case(file.stem, time, values, channels), min(given) == len(time))


def _columns(raw: RawCase, channels: Channels, parameters: Mapping[str, float]) -> np.ndarray:
    """Columns of the surrogate (T, F) in its units, NaN where neither the file nor the parameters have one."""
    values = np.full((len(raw.time), len(channels.controls) + len(channels.predicted)), np.nan)
    for i, name in enumerate((*channels.controls, *channels.predicted)):
        if name in parameters:
            values[:, i] = parameters[name]
        elif name in raw.names:
            place = raw.names.index(name)
            factor, offset = conversion(raw.units[place], channels.units[name])
            values[:, i] = raw.values[:, place]
            if (factor, offset) != (1.0, 0.0):
                values[:, i] = values[:, i] * factor + offset
                _say_conversion(name, raw.units[place], channels.units[name])
    return values


def _varying(file: Path, columns: np.ndarray, channels: Channels) -> list[Problem]:
    """A problem for each parameter that is not constant."""
    return [
        Problem(
            file,
            f"column {name!r} is a parameter of the surrogate and must be constant, it goes from {low:g} to {high:g}",
        )
        for name, place in zip(channels.parameters, channels.parameter_indices, strict=True)
        if (low := columns[:, place].min()) < (high := columns[:, place].max())
    ]


@cache
def _say_conversion(name: str, given: str, wanted: str) -> None:
    """Log a conversion once, not for each of thousands of schedules."""
    log.info("%r is converted from %s to %s, on which the surrogate was trained", name, given, wanted)


def _column_problems(file: Path, raw: RawCase, demands: Demands) -> list[Problem]:
    channels = demands.channels
    required = (*channels.controls, *(channels.predicted if demands.given else ()))
    parameters = demands.parameters.get(file.stem, {})
    missing = [name for name in required if name not in raw.names and name not in parameters]
    problems = [
        Problem(file, f"column {name!r} is also in parameters=<CSV>; give it in one of them")
        for name in raw.names
        if name in parameters
    ]
    if missing:
        named = ", ".join(map(repr, missing))
        constant = [name for name in missing if name in channels.parameters]
        given = [name for name in missing if name in channels.predicted]
        first = f"only in the first {counted(demands.given, 'row')} on its step of {demands.step:g} s"
        rows = f"; {', '.join(map(repr, given))} {first}" if given else ""
        hint = f"; parameters=<CSV> may give {', '.join(map(repr, constant))}, a line for each case" if constant else ""
        problems.append(Problem(file, f"line 1: missing columns {named}, which the surrogate needs{rows}{hint}"))
    for position, name, unit in zip(raw.numbers, raw.names, raw.units, strict=True):
        try:
            conversion(unit, channels.units[name])
        except UnitError as error:
            problems.append(
                Problem(
                    file,
                    f"line 2, column {position} ({name!r}): unit '{unit}', the surrogate was trained on "
                    f"'{channels.units[name]}'; {error}",
                )
            )
    return problems


def _step_problems(file: Path, raw: RawCase, demands: Demands) -> list[Problem]:
    usual = float(np.median(np.diff(raw.time)))
    if usual > demands.step * (1 + STEP_TOLERANCE):
        return [
            Problem(
                file,
                f"rows every {usual:g} s, the surrogate steps by {demands.step:g} s; interpolating between them would "
                f"invent data: give rows every {demands.step:g} s or less",
            )
        ]
    return grid_problems(file, raw, demands.grid, "max_gap")


def _on_grid(
    time: np.ndarray, values: np.ndarray, controls: int, demands: Demands
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Resample every column up to its first missing value; a mean without all of its rows would be another value.

    Returns:
        Grid (K,), values (K, F) with NaN beyond, and the number of valid rows of each column.
    """
    how = demands.step, demands.grid.decimation
    grid, driven = decimate(time, values[:, :controls], *how)
    on_grid = np.full((len(grid), values.shape[1]), np.nan)
    on_grid[:, :controls] = driven
    valid_rows = [len(grid)] * controls
    for column in range(controls, values.shape[1]):
        holes = np.flatnonzero(np.isnan(values[:, column]))
        given = int(holes[0]) if holes.size else len(time)
        # One row is no interval to interpolate in, but it is the first grid point.
        rows = values[:given, [column]]
        if given > 1:
            rows = decimate(time[:given], rows, *how)[1]
        if holes.size and demands.grid.decimation is Decimation.mean:
            rows = rows[: _whole_means(time, given, demands.step)]
        on_grid[: len(rows), column] = rows[:, 0]
        valid_rows.append(len(rows))
    return grid, on_grid, valid_rows


def _whole_means(time: np.ndarray, given: int, step: float) -> int:
    """Rows on a grid of this step [s] whose means, up to half a step later, are of the first ``given`` rows alone."""
    return int(np.floor((time[given] - time[0]) / step + 0.5 + GRID_TOLERANCE))
