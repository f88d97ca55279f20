"""A trial's side of a search: the assignment is read from Hydra's configuration in whatever process the trial runs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from surrogate_modeling.common.console import quieten_console
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import cache_folder
from surrogate_modeling.config.commands import Config
from surrogate_modeling.experiment.assignment import OBJECTIVES, Assignment
from surrogate_modeling.search.gpus import take_gpu
from surrogate_modeling.search.pruning import make_reporter
from surrogate_modeling.search.settings import as_names, read_settings


def read_assignment(config: Config) -> Assignment:
    """What a search wants of this run; the default one unless a search started it.

    Args:
        config: of the run.

    Raises:
        UserError: an objective does not exist, or cannot be measured with these settings.
    """
    hydra = HydraConfig.get()
    ours = hydra.mode is RunMode.MULTIRUN and "objective" in hydra.sweeper
    if config.objective is not None and ours:
        raise UserError(f"objective={config.objective}: this search takes hydra.sweeper.objective=...")
    if not ours:
        objective = as_names(config.objective) or Assignment().objective
        unknown = [name for name in objective if name not in OBJECTIVES]
        if unknown:
            raise UserError(f"objective={config.objective}: must be one or several of {', '.join(OBJECTIVES)}")
        _require_measured(objective, "objective", config)
        return Assignment(objective)
    settings = read_settings(cast(DictConfig, HydraConfig.instance().cfg))
    _require_measured(settings.objective, "hydra.sweeper.objective", config)
    number = hydra.sweeper.trial
    if number is None:
        return Assignment(settings.objective)
    tags = {"study": str(hydra.sweeper.study_name), "trial": str(number)}
    if hydra.sweeper.parent_run:
        tags["mlflow.parentRunId"] = str(hydra.sweeper.parent_run)
    on_epoch = make_reporter(number, config.settings.monitor.value) if settings.prunes else None
    return Assignment(settings.objective, tags, on_epoch, number)


def prepare_trial(config: Config) -> Config:
    """Make this process fit for a trial: one GPU, a quiet terminal, and figures only where their number is given.

    Args:
        config: of the trial.

    Returns:
        The configuration to run.
    """
    quieten_console()
    take_gpu(cache_folder() / "locks")
    if config.settings.num_figures is not None:
        return config
    return replace(config, settings=replace(config.settings, num_figures=0))


def _require_measured(objective: tuple[str, ...], key: str, config: Config) -> None:
    if "val_nADE" in objective and config.settings.free_run_every is None:
        raise UserError(f"{key}=val_nADE: needs settings.free_run_every, or take nADE")
