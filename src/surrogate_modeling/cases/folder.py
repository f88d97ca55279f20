"""Read a folder of case CSVs as cases on one time grid, with the roles of their columns.

All input is checked here, before training: the run stops with one message that lists every problem of every file.
"""

from __future__ import annotations

import hashlib
import logging
import re
import stat
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Self

import numpy as np

from surrogate_modeling.cases.cache import entry_path, load_entry, save_entry
from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.cases.case_file import CaseFileError, RawCase
from surrogate_modeling.cases.channels import Channels, Roles, assign_roles, require_ignored, shifted_count
from surrogate_modeling.cases.companions import without_tables
from surrogate_modeling.cases.excess import find_excesses
from surrogate_modeling.cases.fingerprint import fingerprint
from surrogate_modeling.cases.grid import Grid, GridCase, common_step, grid_problems
from surrogate_modeling.cases.offsets import common_offsets
from surrogate_modeling.cases.parsing import parse_file
from surrogate_modeling.cases.problems import Problem, file_refusal, import_hint, name_problems
from surrogate_modeling.cases.rows import Rows
from surrogate_modeling.cases.sampling import Sampled, sampling_warnings
from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import cache_folder
from surrogate_modeling.common.progress import track

log = logging.getLogger(__name__)
CACHE_FOLDER = cache_folder() / "cases"
# Files read ahead per thread, waiting for an earlier one.
FILES_AHEAD_PER_THREAD = 2


@dataclass(frozen=True)
class Reading:
    """Options of reading a folder.

    Attributes:
        pattern: glob pattern of the file names.
        limit: maximum number of files; None for all.
        workers: threads; None for all cores.
        progress_bar: show a bar on a terminal.
        memory_map: keep the rows in a temporary file; None: where they would take a large part of the memory.
    """

    pattern: str = "*.csv"
    limit: int | None = None
    workers: int | None = None
    progress_bar: bool = True
    memory_map: bool | None = None


def read_cases(folder: Path, roles: Roles, grid: Grid, min_rows: int, reading: Reading | None = None) -> CaseSet:
    """Read, check and decimate the case files of a folder, in natural name order.

    Args:
        folder: where the files are.
        roles: of the columns.
        grid: the time grid.
        min_rows: rows of one window, which every case must have on the grid.
        reading: which files, and how; None for every CSV by all cores.

    Raises:
        UserError: no files, or anything wrong in them; the message lists every problem found.
    """
    reading = reading or Reading()
    files = list_case_files(folder, reading.pattern)[: reading.limit]
    problems = name_problems(files)
    read: list[tuple[Path, GridCase]] = []
    unread = False
    headers: list[Header] = []
    rows = Rows(_lengths(files), reading.memory_map)
    results = _read_in_order(files, grid, frozenset(roles.ignore), reading.workers or cores())
    for file, result in zip(files, track(results, len(files), "reading cases", reading.progress_bar), strict=True):
        if isinstance(result, GridCase):
            rows.add(result.values)
            # The values are stored only in the array of all rows.
            read.append((file, replace(result, values=result.values[:0].copy())))
            headers.append(Header.of(file, result))
        else:
            problems += result.problems
            unread = unread or result.unread
            headers += [result.header] if result.header else []
    if headers:
        require_ignored(roles.ignore, {name for head in headers for name in head.ignored}, headers[0].names)
    step, uneven = (grid.step, []) if grid.step is not None or not read else common_step(read)
    problems += [*_disagreements(headers), *_too_short(read, min_rows), *uneven]
    if problems or step is None:
        place = {file: i for i, file in enumerate(files)}
        hint = import_hint(folder) if unread else ""
        raise file_refusal(folder, sorted(problems, key=lambda problem: place[problem.file]), hint=hint)
    first = read[0][1]
    channels = assign_roles(first.names, first.units, roles)
    if (shifted := shifted_count(roles, first.names, first.numbers)) is not None:
        log.warning("%s", shifted)
    if grid.step is not None:
        _warn_of_sampling(read, grid.step)
    return _case_set(read, rows, channels, step)


def _case_set(read: Sequence[tuple[Path, GridCase]], rows: Rows, channels: Channels, step: float) -> CaseSet:
    """Make cases as views of the array of all rows, columns ordered by role and less common offsets."""
    names = [file.stem for file, _ in read]
    offsets = common_offsets(*_extremes(read))
    for i, (_, case) in enumerate(read):
        rows.shift(i, case.offsets - offsets)
    order = [read[0][1].names.index(name) for name in (*channels.controls, *channels.predicted)]
    if offsets.any():
        channels = replace(channels, offsets=tuple(offsets[order].tolist()))
    table = rows.table(names, order)
    cases = [
        Case(name, case.time, table.rows_of(name, len(case.time)), channels)
        for name, (_, case) in zip(names, read, strict=True)
    ]
    sizes = np.stack([np.maximum(np.abs(case.low), np.abs(case.high)) for _, case in read])
    excesses = find_excesses(names, read[0][1].names, read[0][1].units, sizes)
    return CaseSet(cases, channels, step, fingerprint((file.stem, case.digest) for file, case in read), table, excesses)


def _extremes(read: Sequence[tuple[Path, GridCase]]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value (F,) of each column over all cases."""
    return np.min([case.low for _, case in read], axis=0), np.max([case.high for _, case in read], axis=0)


def _warn_of_sampling(read: Sequence[tuple[Path, GridCase]], step: float) -> None:
    low, high = _extremes(read)
    sampled = [Sampled(file.stem, case.raw_step, case.loss) for file, case in read]
    for message in sampling_warnings(sampled, read[0][1].names, high - low, step):
        log.warning("%s", message)


def _read_in_order(
    files: Sequence[Path], grid: Grid, ignore: frozenset[str], workers: int
) -> Iterator[GridCase | Refusal]:
    """Read the files in threads and yield the results in order; few files ahead, to limit the memory."""
    ahead: deque[Future[GridCase | Refusal]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for file in files:
            ahead.append(pool.submit(_read_case, file, grid, ignore))
            if len(ahead) > FILES_AHEAD_PER_THREAD * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def list_case_files(folder: Path, pattern: str = "*.csv", key: str = "dataset.path") -> list[Path]:
    """List the files of a folder that match, ignoring case and in natural order (``case2`` before ``case10``).

    Matching entries that are not files are listed too, to be reported.

    Args:
        folder: where the files are.
        pattern: of their names.
        key: of the configuration that gave the folder, for the messages.

    Raises:
        UserError: the folder does not exist, cannot be read, or holds none.
    """
    try:
        found = [path for path in folder.expanduser().iterdir() if fnmatch(path.name.lower(), pattern.lower())]
    # RuntimeError: no such home folder ('~nobody'); ValueError: a NUL in the path.
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{key}={folder}: {reason}; give the folder that holds the case CSVs") from None
    files = [path for path in found if path.suffix.lower() == ".csv" or not path.is_dir()]
    files = without_tables(folder.expanduser(), files)
    if not files:
        hint = f"; {import_hint(folder)}" if key == "dataset.path" and any(folder.expanduser().iterdir()) else ""
        raise UserError(f"{key}={folder}: no file {pattern} in this folder{hint}")
    return sorted(files, key=lambda path: natural_order(path.stem))


def natural_order(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sort key in which runs of digits compare as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], name


@dataclass(frozen=True)
class Header:
    """Names, units and numbers of the columns after time of one file, and the names of those that are ignored."""

    file: Path
    names: tuple[str, ...]
    units: tuple[str, ...]
    numbers: tuple[int, ...]
    ignored: tuple[str, ...]

    @classmethod
    def of(cls, file: Path, case: RawCase | GridCase) -> Self:
        """The header of a file that was read."""
        return cls(file, case.names, case.units, case.numbers, case.ignored)


@dataclass(frozen=True)
class Refusal:
    """A file that cannot be used: its problems, its header if that could be read, and whether its text is at fault."""

    problems: list[Problem]
    header: Header | None = None
    unread: bool = False


def _lengths(files: Sequence[Path]) -> float:
    """How many times as long as the first case all cases are together, by the sizes of their files."""
    try:
        sizes = [file.stat().st_size for file in files]
    except OSError:
        # Refused when it is read.
        return len(files)
    return sum(sizes) / sizes[0] if sizes[0] else len(files)


def _read_case(file: Path, grid: Grid, ignore: frozenset[str]) -> GridCase | Refusal:
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file"
            return Refusal([Problem(file, what)])
        entry = entry_path(CACHE_FOLDER, file, grid.key, ignore)
        cached = load_entry(entry)
        if cached is not None:
            return cached
        body = file.read_bytes()
        raw = parse_file(file, body, ignored=ignore.__contains__)
    except CaseFileError as error:
        if error.readable is None:
            return Refusal(error.problems, unread=True)
        problems = [*error.problems, *grid_problems(file, error.readable, grid)]
        return Refusal(problems, Header.of(file, error.readable), unread=True)
    except OSError as error:
        return Refusal([Problem(file, f"cannot be read: {error.strerror}")])
    problems = grid_problems(file, raw, grid)
    if problems:
        return Refusal(problems, Header.of(file, raw))
    case = GridCase.of(raw, grid, hashlib.sha256(body).hexdigest())
    save_entry(entry, case)
    return case


def _disagreements(headers: list[Header]) -> list[Problem]:
    """Problems of files whose columns or units differ from those of most files."""
    if not headers:
        return []
    names, units = Counter((header.names, header.units) for header in headers).most_common(1)[0][0]
    like = next(header.file for header in headers if (header.names, header.units) == (names, units)).name
    problems = []
    for header in headers:
        file = header.file
        missing = [name for name in names if name not in header.names]
        extra = [name for name in header.names if name not in names]
        if missing:
            problems.append(
                Problem(file, f"line 1: missing columns {', '.join(map(repr, missing))}, which {like} and others have")
            )
        if extra:
            at = ", ".join(f"{name!r} (column {header.numbers[header.names.index(name)]})" for name in extra)
            problems.append(Problem(file, f"line 1: columns {at} are not in {like} and others"))
        if not missing and not extra and header.names != names:
            first = next(i for i, pair in enumerate(zip(header.names, names, strict=True)) if pair[0] != pair[1])
            problems.append(
                Problem(
                    file,
                    f"line 1, column {header.numbers[first]}: '{header.names[first]}' stands where {like} and others "
                    f"have '{names[first]}' (another order)",
                )
            )
        elif header.names == names and header.units != units:
            problems += [
                Problem(
                    file,
                    f"line 2, column {header.numbers[i]} ({names[i]!r}): unit '{unit}', {like} and others "
                    f"have '{units[i]}'",
                )
                for i, unit in enumerate(header.units)
                if unit != units[i]
            ]
    return problems


def _too_short(read: list[tuple[Path, GridCase]], min_rows: int) -> list[Problem]:
    return [
        Problem(
            file,
            f"{len(case.time)} rows on the time grid, at least {min_rows} are needed for one window "
            "(settings.in_len + out_len)",
        )
        for file, case in read
        if len(case.time) < min_rows
    ]
