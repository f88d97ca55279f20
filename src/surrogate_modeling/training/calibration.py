"""Calibrate the uncertainty band of a trained surrogate on the validation cases.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.surrogate.band import LEVEL
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.conformal import Residuals, calibrate_band
from surrogate_modeling.training.portfolio import LeftOut

log = logging.getLogger(__name__)
# Training cases in free run for the growth of the error; more of them hardly move a mean.
GROWTH_CASES = 64


def add_band(
    surrogate: Surrogate, split: CaseSplit, left_out: LeftOut | None = None, validation: LeftOut | None = None
) -> None:
    """Calibrate the 90 % band; warns when there are too few cases for it.

    Args:
        surrogate: gets the band.
        split: its validation cases set the band, and the growth of the error over its training cases the shape.
        left_out: free runs over cases by networks that had not seen them, which then give both.
        validation: free runs over the validation cases; None: the surrogate's.
    """
    scale, targets = surrogate.predicted_scale, surrogate.description.channels.target_indices
    surrogate.band = None
    if left_out is None:
        shown = spread_over(split.training, GROWTH_CASES)
        runs = validation or LeftOut(split.validation, *surrogate.predict_spread(split.validation))
        shaping = residuals(shown, *surrogate.predict_spread(shown))
        calibrating = residuals(runs.cases, runs.rows, runs.spreads)
        band = calibrate_band(shaping, calibrating, scale, targets)
    else:
        own = residuals(left_out.cases, left_out.rows, left_out.spreads)
        if left_out.records:
            own = joined(own, left_out.cases, left_out.records)
        band = calibrate_band(own, None, scale, targets)
    # An ensemble of the networks of all folds spreads less over a case that most have seen than it errs on a new one.
    surrogate.band = band = band and replace(band, of_copies=left_out is None)
    if band is None:
        log.warning("no uncertainty band: there are no validation cases, or the free run over some cases diverged")
    elif band.level < LEVEL:
        log.warning(
            "the uncertainty band rests on %d case(s): it can promise %.0f %%, not %.0f %%, which takes 9",
            band.cases, 100 * band.level, 100 * LEVEL,
        )  # fmt: skip


def spread_over(cases: Sequence[Case], count: int) -> list[Case]:
    """At most so many of the cases, evenly spread over their order."""
    chosen = np.linspace(0, len(cases) - 1, min(len(cases), count)).astype(int)
    return [cases[i] for i in chosen]


def residuals(cases: Sequence[Case], means: Sequence[np.ndarray], spreads: Sequence[np.ndarray]) -> Residuals:
    """Absolute errors of cases, and the spread of the members, from the mean and the spread (H, P) of each."""
    errors = [np.abs(mean.astype(np.float64) - case.truth(len(mean))) for case, mean in zip(cases, means, strict=True)]
    return Residuals(errors, list(spreads), [np.arange(len(mean)) for mean in means])


def joined(parts: Residuals, blocks: Sequence[Case], records: Sequence[Case]) -> Residuals:
    """Residuals of records, each from the blocks that it was cut into.

    The run over a block is cut from one that starts with its record, and a new record is as long as a record.

    Args:
        parts: residuals of the blocks.
        blocks: in any order.
        records: uncut.
    """
    of_record = []
    for record in records:
        own = [i for i, block in enumerate(blocks) if np.may_share_memory(block.values, record.values)]
        own.sort(key=lambda i: float(blocks[i].time[0]))
        # As many rows are given of a block as of its record.
        firsts = [int(np.searchsorted(record.time, blocks[i].time[0])) for i in own]
        distance = np.concatenate(
            [first + np.arange(len(parts.errors[i])) for first, i in zip(firsts, own, strict=True)]
        )
        of_record.append(
            (np.concatenate([parts.errors[i] for i in own]), np.concatenate([parts.spreads[i] for i in own]), distance)
        )
    return Residuals(*(list(each) for each in zip(*of_record, strict=True)))
