"""The side of a trial: what its search asks of it, read from Hydra's configuration in whatever process it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from surrogate_modeling.common.console import quieten_console
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import cache_folder
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.experiment.assignment import Assignment, Pruned
from surrogate_modeling.search.gpus import take_gpu

if TYPE_CHECKING:
    from optuna.study import Study

log = logging.getLogger(__name__)
# Studies of this process, so that trials in it need not open the storage, and memory can be shared at all.
LIVE: dict[str, Study] = {}
_OPENED: dict[str, Any] = {}


def assignment(run: SettingsConfig) -> Assignment:
    """What is asked of this run; empty unless a search started it.

    Args:
        run: the settings of the run.

    Raises:
        UserError: the objective cannot be measured with these settings.
    """
    hydra = HydraConfig.get()
    if hydra.mode is not RunMode.MULTIRUN or hydra.sweeper.get("objective") is None:
        return Assignment()
    from surrogate_modeling.search.settings import read_settings

    settings = read_settings(_with_hydra())
    if "val_nADE" in settings.objective and run.free_run_every is None:
        raise UserError("hydra.sweeper.objective=val_nADE: needs settings.free_run_every, or take nADE")
    number = hydra.sweeper.trial
    if number is None:
        return Assignment(settings.objective)
    tags = {"study": str(hydra.sweeper.study_name), "trial": str(number)}
    if hydra.sweeper.parent_run:
        tags["mlflow.parentRunId"] = str(hydra.sweeper.parent_run)
    watch = make_watch(number, run.monitor.value) if settings.prunes else None
    return Assignment(settings.objective, tags, watch, number)


def prepare_trial(config: Config) -> Config:
    """Make this process fit for a trial: one GPU, a quiet terminal, and no figures unless a number is asked for.

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


def _with_hydra() -> DictConfig:
    return cast(DictConfig, HydraConfig.instance().cfg)


def make_watch(number: int, monitor: str) -> Callable[[dict[str, float], int], None] | None:
    """A function that reports each epoch to the study and ends the run when the study's pruner says so.

    Args:
        number: of the trial.
        monitor: metric that is reported.
    """
    study = _study()
    if study is None:
        return None
    storage = study._storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)

    def watch(metrics: dict[str, float], epoch: int) -> None:
        value = metrics.get(monitor)
        if value is None:
            return
        storage.set_trial_intermediate_value(trial_id, epoch, value)
        if study.pruner.prune(study, storage.get_trial(trial_id)):
            raise Pruned(f"{monitor} {value:.4g} at epoch {epoch} is behind the earlier trials")

    return watch


def _study() -> Study | None:
    """The study of this trial: this process's own, or opened once per process."""
    sweeper = HydraConfig.get().sweeper
    name = str(sweeper.study_name)
    if name in LIVE:
        return LIVE[name]
    if sweeper.storage is None:
        log.warning("no pruning: hydra.sweeper.storage=null keeps the study in the memory of another process")
        return None
    if name not in _OPENED:
        import optuna
        from hydra.utils import instantiate

        from surrogate_modeling.search.storage import open_storage, quieten_optuna

        quieten_optuna()
        storage = open_storage(str(sweeper.storage)).storage
        _OPENED[name] = optuna.load_study(study_name=name, storage=storage, pruner=instantiate(sweeper.pruner))
    return _OPENED[name]
