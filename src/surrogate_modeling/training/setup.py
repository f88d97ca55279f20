"""Make what is trained: a surrogate with fitted scaling, and the windows of its cases."""

from __future__ import annotations

import logging

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.config.commands import Config
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.fit import is_of_memory
from surrogate_modeling.training.windows import WindowData, WindowDataset

log = logging.getLogger(__name__)


def make_surrogate(config: Config, case_set: CaseSet, split: CaseSplit) -> Surrogate:
    """A fresh network with scaling fitted on the training cases; names the columns that are constant there.

    Raises:
        UserError: no memory holds a network of these sizes.
    """
    settings = config.settings
    description = Description(
        config.model,
        case_set.channels,
        settings.in_len,
        settings.out_len,
        case_set.step,
        settings.output,
        settings.feedback,
        settings.ensemble,
    )
    try:
        surrogate = Surrogate(description)
    except (MemoryError, RuntimeError, TypeError, ValueError) as error:
        # Of more than any machine could have, the number of bytes overflows.
        if not is_of_memory(error) and "overflow" not in str(error).lower():
            raise
        raise UserError(
            f"model: a network of these sizes does not fit the memory ({first_line(error)}); use smaller ones"
        ) from None
    constant = surrogate.scaling.fit(case.values for case in split.training)
    if constant:
        columns = (*case_set.channels.controls, *case_set.channels.predicted)
        log.warning("constant over the training cases, scaled by 1: %s", ", ".join(columns[i] for i in constant))
    return surrogate


def make_windows(config: Config, surrogate: Surrogate, split: CaseSplit) -> WindowData:
    """Training and validation windows in standardised units."""
    settings, scaling = config.settings, surrogate.scaling
    rows = settings.loss_rows
    training = WindowDataset(split.training, scaling, settings.in_len, rows, table=split.table)
    # Long windows that overlap by more than half tell the same thing again, each epoch.
    stride = max(1, rows // 2)
    validation = WindowDataset(split.validation, scaling, settings.in_len, rows, stride, split.table)
    return WindowData(training, validation, settings)
