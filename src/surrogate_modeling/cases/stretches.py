"""Cut records into stretches in time order, with gaps between them so that no row is near two stretches.

A stretch is a case of its own whose rows are a view of the record's: ``case0001 (0 to 300 s)``. Rows that lie close
together in time are alike, so a gap of at least the rows that a prediction starts from is left out between two of them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import counted, lines_and_rest

log = logging.getLogger(__name__)
# Records whose cut is logged one by one.
MAX_LOGGED_RECORDS = 5
# End of a stretch's name.
STRETCH = re.compile(r" \(\S+ to \S+ s\)$")


@dataclass(frozen=True)
class Cut:
    """How records are cut.

    Attributes:
        validation: share of a record's rows; 0 for no validation stretch.
        test: share of a record's rows; 0 for no test stretch.
        gap: rows left out between two stretches.
        least: rows that a stretch needs.
    """

    validation: float
    test: float
    gap: int
    least: int


def cut_records(records: Sequence[Case], cut: Cut) -> list[list[Case]]:
    """Cut each record into a training, a validation and a test stretch, in time order; logs the rows of each.

    Returns:
        For each kind the stretches of all records, in the order of the records; empty for a kind without a share.

    Raises:
        UserError: records are too short; it names each with its rows.
    """
    shares = [share for share in (cut.validation, cut.test) if share > 0]
    bounds = [_bounds(len(record.time), shares, cut.gap) for record in records]
    short = [
        f"  {record.name!r}: {_listed(_lengths(edges), cut)} of its {len(record.time)} rows"
        for record, edges in zip(records, bounds, strict=True)
        if min(_lengths(edges)) < cut.least
    ]
    if short:
        raise UserError(
            "\n".join(
                (
                    f"dataset.split=time: {len(short)} of {len(records)} records are too short; a stretch needs at "
                    f"least {cut.least} rows (settings.in_len + settings.out_len), and {cut.gap} rows (settings.in_len)"
                    " are left out between two. Give longer records or other shares, or leave these out:",
                    *short,
                )
            )
        )
    _report(records, bounds, cut)
    stretches = [[_stretch(record, *edge) for edge in edges] for record, edges in zip(records, bounds, strict=True)]
    kinds = iter(zip(*stretches, strict=True))
    return [list(next(kinds)) if share > 0 else [] for share in (1.0, cut.validation, cut.test)]


def blocks(case: Case, count: int, gap: int, least: int) -> list[Case]:
    """Cut a case into blocks of nearly equal length, in time order.

    Args:
        case: a record, or a stretch of one.
        count: of the blocks.
        gap: rows left out between two blocks.
        least: rows that a block needs.

    Raises:
        UserError: the case is too short for so many blocks.
    """
    rows = len(case.time) - gap * (count - 1)
    if rows < count * least:
        raise UserError(
            f"{case.name!r} has {len(case.time)} rows: too few for {count} blocks of at least {least} rows with gaps "
            f"of {gap} rows between them; {count * least + gap * (count - 1)} are needed"
        )
    edges = [block * rows // count for block in range(count + 1)]
    return [_stretch(case, first + i * gap, end + i * gap) for i, (first, end) in enumerate(pairwise(edges))]


def without_block(case: Case, block: Case, gap: int, least: int) -> list[Case]:
    """What is left of a case without one of its blocks: the stretches before and after it.

    Args:
        case: a record, or a stretch of one.
        block: as :func:`blocks` gives it.
        gap: rows left out on both sides of the block.
        least: rows that a stretch needs; a shorter one is left out.
    """
    first = int(np.searchsorted(case.time, block.time[0]))
    ends = [(0, first - gap), (first + len(block.time) + gap, len(case.time))]
    return [_stretch(case, begin, end) for begin, end in ends if end - begin >= least]


def _bounds(rows: int, shares: Sequence[float], gap: int) -> list[tuple[int, int]]:
    """First row and end of each stretch: training, then one for each share, which may be too short or negative."""
    sizes = [round(share * rows) for share in shares]
    edges, end = [], rows
    for size in reversed(sizes):
        edges.append((end - size, end))
        end -= size + gap
    return [(0, end), *reversed(edges)]


def _lengths(edges: Sequence[tuple[int, int]]) -> list[int]:
    return [end - first for first, end in edges]


def _stretch(record: Case, first: int, end: int) -> Case:
    """Rows of a record, or of a stretch of one, as a case named by the times of its first and last row."""
    time = record.time[first:end]
    digits = _digits(record.time)
    name = f"{STRETCH.sub('', record.name)} ({time[0]:.{digits}g} to {time[-1]:.{digits}g} s)"
    return replace(record, name=name, time=time, values=record.values[first:end])


def _digits(time: np.ndarray) -> int:
    """Digits that tell the last two rows of a record apart, at least ten: a stretch is known by its name."""
    last = time[-2:].tolist()
    return next((n for n in range(10, 17) if len({f"{t:.{n}g}" for t in last}) == len(last)), 17)


def _listed(lengths: Sequence[int], cut: Cut) -> str:
    """Rows by kind, as text: ``70 to train, 15 to validate, 15 to test``."""
    kinds = ["train", *(["validate"] if cut.validation > 0 else []), *(["test"] if cut.test > 0 else [])]
    return ", ".join(f"{max(0, rows)} to {kind}" for rows, kind in zip(lengths, kinds, strict=True))


def _report(records: Sequence[Case], bounds: Sequence[Sequence[tuple[int, int]]], cut: Cut) -> None:
    """Log the rows of each stretch and the rows lost, of the first records one by one."""
    lengths = [_lengths(edges) for edges in bounds]
    rows = sum(len(record.time) for record in records)
    totals = [sum(column) for column in zip(*lengths, strict=True)]
    log.info(
        "split=time: rows of %s: %s; %d lost in gaps of %d rows",
        counted(len(records), "record"), _listed(totals, cut), rows - sum(totals), cut.gap,
    )  # fmt: skip
    if len(records) == 1:
        return
    lines = [f"{record.name}: {_listed(own, cut)}" for record, own in zip(records, lengths, strict=True)]
    for line in lines_and_rest(lines, MAX_LOGGED_RECORDS):
        log.info("  %s", line)
