"""Rows of a case made whole: rows of one time, missing cells, time that goes back.

Shape letters: T rows, F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.common.wording import counted, names_and_rest
from surrogate_modeling.importing.raw_table import BadFile

# Columns with missing cells that a message lists.
MOST_LISTED = 6
# Seconds that a clock is put back by, and that a logger may need to notice.
HOUR, SLACK = 3600.0, 60.0


@dataclass(frozen=True)
class Rows:
    """Rows of one file or case on their way to a clean one.

    Attributes:
        time: (T,) [s].
        values: (T, F).
        lines: place of each row in the file (T,).
        word: what a place is called, line or row.
    """

    time: np.ndarray
    values: np.ndarray
    lines: np.ndarray
    word: str = "line"

    def take(self, which: np.ndarray | slice) -> Rows:
        """Some of the rows, by index, mask or slice."""
        return Rows(self.time[which], self.values[which], self.lines[which], self.word)

    def place(self, which: np.ndarray) -> str:
        """The place of some rows for a message, e.g. ``lines 5, 9-12``."""
        return line_ranges(self.lines[which].tolist()).replace("line", self.word, 1)


def one_row_per_time(rows: Rows, how: str, source: str) -> tuple[Rows, int]:
    """Keep one row of those that follow each other with one time (events), and count the others.

    Args:
        rows: to be cleaned.
        how: ``last``, ``first``, ``mean``, or ``error``.
        source: of the file, for messages.

    Raises:
        BadFile: there are such rows, and ``how`` is ``error``.
    """
    same = np.diff(rows.time) == 0
    count = int(same.sum())
    if not count:
        return rows, 0
    if how == "error":
        at = rows.place(np.flatnonzero(same) + 1)
        raise BadFile(source, f"{at}: the time is that of the row before; duplicates=last, first or mean keeps one row")
    if how == "last":
        return rows.take(np.append(~same, True)), count
    starts = np.flatnonzero(np.append(True, ~same))
    kept = rows.take(starts)
    if how == "first":
        return kept, count
    # The mean of the rows that have a number.
    held = np.isfinite(rows.values)
    numbers = np.add.reduceat(held.astype(int), starts, axis=0)
    sums = np.add.reduceat(np.where(held, rows.values, 0.0), starts, axis=0)
    means = np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0)
    return Rows(kept.time, means, kept.lines, kept.word), count


def require_increasing(rows: Rows, name: str, source: str, *, dated: bool = False) -> None:
    """Refuse time that goes back.

    Args:
        rows: of a case.
        name: of the column of time.
        source: of the file, for messages.
        dated: whether time is a date, whose clock may be changed.

    Raises:
        BadFile: with the lines.
    """
    steps = np.diff(rows.time)
    back = np.flatnonzero(steps <= 0) + 1
    if len(back):
        first = back[0]
        way_out = (
            "several runs in one file are cut with cases_by=gaps, another column is time with time=<column>"
            if not dated or len(back) > 1 or not _is_hour_back(steps)
            else "it looks like the end of summer time: write the times in UTC or with their zone (02:59+02:00, then "
            "02:00+01:00), or cut the file there with cases_by=gaps"
        )
        raise BadFile(
            source,
            f"{rows.place(back)}, column {name!r}: time goes back (first from {rows.time[first - 1]:g} to "
            f"{rows.time[first]:g} s); {way_out}",
        )


def _is_hour_back(steps: np.ndarray) -> bool:
    """Whether the one step back is an hour less the time between two rows."""
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    return bool(HOUR - 2 * usual - SLACK <= -steps.min() <= HOUR)


def without_missing_time(rows: Rows, how: str, name: str, source: str) -> tuple[Rows, int]:
    """Leave out rows without a time where ``how`` is ``drop_rows``.

    Raises:
        BadFile: there are such rows otherwise.
    """
    missing = ~np.isfinite(rows.time)
    if not missing.any():
        return rows, 0
    if how != "drop_rows":
        raise BadFile(
            source,
            f"{rows.place(np.flatnonzero(missing))}, column {name!r}: no time; missing=drop_rows leaves them out",
        )
    return rows.take(~missing), int(missing.sum())


def fill_missing(
    rows: Rows, names: Sequence[str], how: str, max_missing: float | None, source: str
) -> tuple[Rows, int, int]:
    """Fill, drop or refuse missing cells.

    Args:
        rows: with strictly increasing time.
        names: of the columns (F,).
        how: ``error``, ``interpolate`` (linear in time), or ``drop_rows``.
        max_missing: widest gap that may be left or filled, in usual steps; None: any.
        source: of the file, for messages.

    Returns:
        The rows, the number of filled cells, and that of dropped rows.

    Raises:
        BadFile: cells are missing with ``error``, or a gap is too wide.
    """
    missing = ~np.isfinite(rows.values)
    if not missing.any():
        return rows, 0, 0
    if empty := [names[i] for i in np.flatnonzero(missing.all(axis=0)).tolist()]:
        listed = names_and_rest(map(repr, empty), MOST_LISTED)
        ignored = ",".join(empty[:MOST_LISTED])
        raise BadFile(source, f"column {listed}: no number in any row; leave it out with 'ignore=[{ignored}]'")
    if how == "error":
        raise BadFile(source, _missing_message(rows, names, missing))
    limit = np.inf if max_missing is None else max_missing * float(np.median(np.diff(rows.time)))
    if how == "drop_rows":
        keep = ~missing.any(axis=1)
        kept = rows.take(keep)
        columns = ", ".join(repr(names[i]) for i in np.flatnonzero(missing.any(axis=0)).tolist())
        _refuse_gap(kept, columns, limit, source, np.diff(np.flatnonzero(keep)) > 1)
        return kept, 0, int((~keep).sum())
    return _interpolated(rows, names, missing, limit, source), int(missing.sum()), 0


def _interpolated(rows: Rows, names: Sequence[str], missing: np.ndarray, limit: float, source: str) -> Rows:
    values = rows.values.copy()
    for column in np.flatnonzero(missing.any(axis=0)).tolist():
        held = ~missing[:, column]
        places = np.flatnonzero(held)
        outside = np.ones(len(held), bool)
        outside[places[0] : places[-1]] = False
        if (ends := np.flatnonzero(~held & outside)).size:
            raise BadFile(
                source,
                f"{rows.place(ends)}, column {names[column]!r}: missing at the beginning or end, where nothing can be "
                "interpolated; missing=drop_rows leaves the rows out",
            )
        kept = rows.take(places)
        _refuse_gap(kept, repr(names[column]), limit, source, np.diff(places) > 1)
        values[~held, column] = np.interp(rows.time[~held], kept.time, values[held, column])
    return Rows(rows.time, values, rows.lines, rows.word)


def _refuse_gap(kept: Rows, columns: str, limit: float, source: str, beside: np.ndarray) -> None:
    # Only gaps that are filled or left count (beside), not those of the file's time.
    steps = np.diff(kept.time)
    wide = np.flatnonzero((steps > limit * (1 + 1e-9)) & beside)
    if len(wide):
        at = kept.place(wide[:1] + 1)
        raise BadFile(
            source,
            f"up to {at}, column {columns}: no number for {steps[wide[0]]:g} s, at most {limit:g} s are allowed; give "
            "max_missing=<steps>, or cut the file there with cases_by=gaps",
        )


def _missing_message(rows: Rows, names: Sequence[str], missing: np.ndarray) -> str:
    columns = np.flatnonzero(missing.any(axis=0)).tolist()
    parts = [f"{rows.place(np.flatnonzero(missing[:, i]))}, column {names[i]!r}" for i in columns[:MOST_LISTED]]
    more = f" and {counted(len(columns) - MOST_LISTED, 'more column')}" if len(columns) > MOST_LISTED else ""
    return (
        f"{'; '.join(parts)}{more}: no number in {counted(int(missing.sum()), 'cell')}; missing=interpolate or "
        "missing=drop_rows goes on, ignore=[...] leaves a column out"
    )
