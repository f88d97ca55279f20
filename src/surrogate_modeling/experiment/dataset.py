"""Load the cases of the configuration's ``dataset`` group on the time grid of its ``settings``.

Imports no torch: problems of the cases are reported before the heavy imports.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.companions import FAILED_FILE
from surrogate_modeling.cases.constants import require_constant
from surrogate_modeling.cases.folder import Reading, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.groups import read_groups
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.memory import give_back_freed_memory
from surrogate_modeling.common.wording import counted, lines_and_rest
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import GeneratedConfig
from surrogate_modeling.config.debug import case_limit, row_limit
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.generation.dataset import make_missing

log = logging.getLogger(__name__)
# Cases far beyond the others that are named.
MOST_EXCESSES = 5
# Holds one set only: cases may take a large part of the memory.
_CACHED: dict[str, CaseSet] = {}


def require_gpu(settings: SettingsConfig) -> None:
    """Check that a GPU that is asked for is there, before cases are read, which may take minutes.

    Raises:
        UserError: it is not.
    """
    if settings.device.startswith("cuda"):
        from surrogate_modeling.surrogate.device import choose_device

        choose_device(settings)


def load_cases(config: Config) -> CaseSet:
    """Read the cases, after simulating missing ones of a simulated dataset; few and short with ``settings.is_debug``.

    Raises:
        UserError: as :func:`surrogate_modeling.cases.folder.read_cases`, or the simulator's plan cannot be carried out.
    """
    dataset, settings = config.dataset, config.settings
    limit = case_limit(config)
    if isinstance(dataset, GeneratedConfig):
        made = make_missing(dataset, limit)
        limit = len(made.present) + len(made.written)
        if dataset.controls is None:
            dataset = replace(dataset, controls=list(made.controls))
        if dataset.parameters is None:
            dataset = replace(dataset, parameters=list(made.parameters))
        if not limit:
            failures = Path(dataset.path) / FAILED_FILE
            raise UserError(f"dataset: no case was made: see {failures}; pdm run generate tries again")
        if made.failed:
            log.warning(
                "failed and left out: %s; see %s", counted(len(made.failed), "case"), Path(dataset.path) / FAILED_FILE
            )
    case_set = read_cases(
        Path(dataset.path),
        Roles(dataset.controls, dataset.targets, dataset.ignore or (), dataset.parameters or ()),
        Grid(settings.decimate_range if settings.use_decimate else None, dataset.max_gap, settings.decimate),
        settings.in_len + settings.out_len,
        Reading(dataset.pattern, limit, settings.workers, settings.progress_bar, settings.memory_map),
    )
    require_constant(case_set)
    for line in lines_and_rest(list(map(str, case_set.excesses)), MOST_EXCESSES, "more cases like it"):
        log.warning("%s: did it diverge? Move its file out of dataset.path to leave it out", line)
    # The memory that reading hundreds of raw files took is not needed for training.
    give_back_freed_memory()
    if dataset.groups is not None:
        units = read_groups(dataset.groups, [case.name for case in case_set.cases], "dataset.groups")
        case_set = replace(case_set, cases=[replace(case, unit=units[case.name]) for case in case_set.cases])
    if (rows := row_limit(settings)) is None:
        return case_set
    log.warning("settings.is_debug: %s, at most the first %d rows of each", counted(len(case_set.cases), "case"), rows)
    cut = [replace(case, time=case.time[:rows], values=case.values[:rows]) for case in case_set.cases]
    return replace(case_set, cases=cut)


def load_cases_once(config: Config) -> CaseSet:
    """Load cases as :func:`load_cases`, or reuse those of the last call: trials of a search mostly share them."""
    settings = config.settings
    # All cases are read, whatever fraction of them is trained on and whatever is learnt of their units.
    dataset = replace(config.dataset, training_fraction=1.0, unit_effects=True, unit_latents=0)
    key = repr((dataset, settings.use_decimate, settings.decimate_range, settings.decimate, settings.is_debug))
    cached = _CACHED.get(key)
    rows = settings.in_len + settings.out_len
    # Cases too short for these windows are refused where they are read.
    if cached is None or min(len(case.time) for case in cached.cases) < rows:
        cached = load_cases(config)
        _CACHED.clear()
        _CACHED[key] = cached
    return cached
