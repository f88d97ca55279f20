"""Set up training: a new surrogate with fitted scaling, and the windows of its cases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case, CaseSet, RowTable
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.scaling import CONSTANT_SPREAD
from surrogate_modeling.training.job import is_of_memory
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.warm_start import WarmStart
from surrogate_modeling.training.windows import WindowDataset

log = logging.getLogger(__name__)


def make_surrogate(
    config: Config,
    case_set: CaseSet,
    split: CaseSplit,
    warm: WarmStart | None = None,
    units: Sequence[str] = (),
    *,
    measure: Sequence[Case] | None = None,
) -> Surrogate:
    """Make an untrained surrogate with scaling fitted on the training cases; warns of columns that are constant there.

    Args:
        config: of the run.
        case_set: for its columns and its step.
        split: of the same cases.
        warm: surrogate to begin with, whose scaling is taken.
        units: names of those of which the networks learn numbers.
        measure: see :func:`fit_scaling`.

    Raises:
        UserError: a network of these sizes does not fit the memory.
    """
    description = _description(config, case_set, units)
    try:
        surrogate = Surrogate(description)
    except (MemoryError, RuntimeError, TypeError, ValueError) as error:
        # Of more than any machine could have, the number of bytes overflows.
        if not is_of_memory(error) and "overflow" not in str(error).lower():
            raise
        raise UserError(
            f"model: a network of these sizes does not fit the memory ({first_line(error)}); use smaller ones"
        ) from None
    for message in fit_scaling(surrogate, split, measure):
        log.warning("%s", message)
    if warm is not None:
        warm.take_scaling(surrogate)
    surrogate.training_range.fit(split.training, surrogate.scaling, description.in_len)
    _fit_start(surrogate, split)
    return surrogate


def _description(config: Config, case_set: CaseSet, units: Sequence[str]) -> Description:
    """What a run trains, as the saved surrogate says it."""
    settings = config.settings
    return Description(
        config.model,
        case_set.channels,
        settings.in_len,
        settings.out_len,
        case_set.step,
        settings.output,
        settings.feedback,
        settings.ensemble,
        decimation=settings.decimate,
        start=settings.start,
        units=tuple(units),
        unit_latents=config.dataset.unit_latents if units else 0,
    )


def _fit_start(surrogate: Surrogate, split: CaseSplit) -> None:
    """Fit the first row of a surrogate that starts from controls alone, and say what a run is given."""
    description, first_row = surrogate.description, surrogate.first_row
    if description.start is StartMode.row:
        log.info("settings.start=row: one row is given (settings.in_len is 1)")
    if first_row is None:
        return
    errors = first_row.fit(_standardised_firsts(split.training, surrogate))
    if len(split.training) == 1:
        log.warning("settings.start=rest: with one training case every run starts from its first row")
        return
    worst = int(errors.argmax())
    log.info(
        "settings.start=rest: only controls are given; the first row follows from its controls with a mean error of "
        "%.2g training standard deviations over training cases left out (%s: %.2g)",
        float(errors.mean()), description.channels.predicted[worst], float(errors[worst]),
    )  # fmt: skip


def with_given_starts(surrogate: Surrogate, split: CaseSplit) -> CaseSplit:
    """The split as a surrogate may see it: one that starts from controls alone gets its own first row of each case.

    That row is nowhere predicted, only started from, so that windows and baselines of these cases start as the
    surrogate does. The rows are copied: other runs of a search share the cases.

    Args:
        surrogate: with a fitted first row, or without any.
        split: as read.
    """
    if surrogate.first_row is None:
        return split
    table = RowTable.of([*split.training, *split.validation, *split.test])
    parts = split.training, split.validation, split.test
    training, validation, test = (_with_first_rows(surrogate, part, table) for part in parts)
    return CaseSplit(training, validation, test, table)


def _with_first_rows(surrogate: Surrogate, cases: Sequence[Case], table: RowTable) -> list[Case]:
    """Cases that are views of the table, after their first rows are replaced there."""
    if not cases or surrogate.first_row is None:
        return list(cases)
    controls = surrogate.description.sizes.controls
    with torch.no_grad():
        rows = surrogate.first_row(_standardised_firsts(cases, surrogate)[:, :controls])
    held = surrogate.scaling.restore_held(rows, slice(controls, None))
    table.values[[table.first[case.name] for case in cases], controls:] = held.cpu().numpy()
    return [replace(case, values=table.rows_of(case.name, len(case.values))) for case in cases]


def _standardised_firsts(cases: Sequence[Case], surrogate: Surrogate) -> Tensor:
    """First rows (K, F) of cases, standardised."""
    firsts = torch.from_numpy(np.stack([case.values[0] for case in cases])).to(surrogate.device)
    return surrogate.scaling.standardise_held(firsts)


def fit_scaling(surrogate: Surrogate, split: CaseSplit, measure: Sequence[Case] | None = None) -> list[str]:
    """Fit the scaling on the training cases; returns warnings about columns that are constant there.

    Args:
        surrogate: whose scaling is fitted.
        split: of all cases.
        measure: some of the training cases, in whose standard deviations errors are given, of columns that move there;
            None: all of them.
    """
    constant = surrogate.scaling.fit(case.values for case in split.training)
    if measure is not None and len(measure) < len(split.training):
        surrogate.scaling.measure_by(case.values for case in measure)
    channels = surrogate.description.channels
    names = (*channels.controls, *channels.predicted)
    others = (*split.validation, *split.test)
    messages, still = [], []
    for i in constant:
        kept = float(surrogate.scaling.mean[i])
        tolerance = CONSTANT_SPREAD * abs(kept)
        moves = [case for case in others if np.abs(case.values[:, i].astype(np.float64) - kept).max() > tolerance]
        if not moves:
            still.append(repr(names[i]))
            continue
        rows = moves[0].column(i)
        reached = " to ".join(dict.fromkeys(f"{float(edge):.6g}" for edge in (rows.min(), rows.max())))
        effect = "has no effect on what is predicted" if i < len(channels.controls) else "is predicted as that"
        messages.append(
            f"column {names[i]!r} is {float(surrogate.scaling.level[i]):.6g} throughout the training cases and "
            f"{reached} in {moves[0].name!r}"
            f"{f' (and it moves in {len(moves) - 1} more)' if len(moves) > 1 else ''}: the network never saw it move, "
            f"so it {effect}; train on cases in which it moves, or leave the column out"
        )
    if still:
        messages.append(f"constant over all cases, not seen by the network: {', '.join(still)}")
    return messages


def make_windows(config: Config, surrogate: Surrogate, split: CaseSplit) -> WindowData:
    """Training and validation windows of the cases, in standardised units."""
    settings, scaling = config.settings, surrogate.scaling
    rows = settings.loss_rows
    units = surrogate.description.units
    training = WindowDataset(split.training, scaling, settings.in_len, rows, table=split.table, units=units)
    # Long windows that overlap by more than half tell the same thing again, each epoch.
    stride = max(1, rows // 2)
    validation = WindowDataset(split.validation, scaling, settings.in_len, rows, stride, split.table, units)
    return WindowData(training, validation, settings)
