"""The dataset group of the configuration -> cases on the time grid of the settings.

Imports no torch: whatever is wrong with the cases is said before the heavy imports.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from surrogate_modeling.cases import CaseSet, Grid, read_cases
from surrogate_modeling.config import Config, Split

log = logging.getLogger(__name__)
DEBUG_CASES, DEBUG_ROWS = 6, 400


def load_cases(config: Config) -> CaseSet:
    """Read the cases; with ``settings.is_debug`` few and short ones.

    Raises:
        UserError: as :func:`surrogate_modeling.cases.read_cases`.
    """
    dataset, settings = config.dataset, config.settings
    few = settings.is_debug and dataset.split is not Split.named
    case_set = read_cases(
        Path(dataset.path).expanduser(),
        dataset.controls,
        dataset.targets,
        Grid(settings.decimate_range if settings.use_decimate else None, dataset.max_gap),
        settings.in_len + settings.out_len,
        settings.workers,
        DEBUG_CASES if few else None,
        settings.progress_bar,
    )
    if not settings.is_debug:
        return case_set
    log.warning("settings.is_debug: %d cases, at most their first %d rows", len(case_set.cases), DEBUG_ROWS)
    cut = [replace(case, time=case.time[:DEBUG_ROWS], values=case.values[:DEBUG_ROWS]) for case in case_set.cases]
    return replace(case_set, cases=cut)
