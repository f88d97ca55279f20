"""Pruning: a trial reports its validation curve to the study, and ends when the study's pruner says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.experiment.assignment import Pruned

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

log = logging.getLogger(__name__)
# Studies of this process by name, so that trials in it need not open the storage, and memory can be shared at all.
OPENED: dict[str, tuple[Study, BaseStorage]] = {}


def make_reporter(number: int, monitor: str) -> OnEpoch | None:
    """A function that reports each epoch to the study and raises :class:`Pruned` when the pruner ends the trial.

    Args:
        number: of the trial.
        monitor: metric that is reported.

    Returns:
        None where the study is in the memory of another process.
    """
    opened = _open_study()
    if opened is None:
        return None
    study, storage = opened
    study_id = storage.get_study_id_from_name(study.study_name)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)

    def report(metrics: dict[str, float], epoch: int) -> None:
        value = metrics.get(monitor)
        if value is None:
            return
        storage.set_trial_intermediate_value(trial_id, epoch, value)
        if study.pruner.prune(study, storage.get_trial(trial_id)):
            raise Pruned(f"{monitor} {value:.4g} at epoch {epoch} is behind the earlier trials")

    return report


def _open_study() -> tuple[Study, BaseStorage] | None:
    """The study of this trial: this process's own, or opened once per process."""
    sweeper = HydraConfig.get().sweeper
    name = str(sweeper.study_name)
    if name in OPENED:
        return OPENED[name]
    if sweeper.storage is None:
        log.warning("no pruning: hydra.sweeper.storage=null keeps the study in the memory of another process")
        return None
    import optuna
    from hydra.utils import instantiate

    from surrogate_modeling.search.storage import open_storage, quieten_optuna

    quieten_optuna()
    storage = open_storage(str(sweeper.storage)).storage
    study = optuna.load_study(study_name=name, storage=storage, pruner=instantiate(sweeper.pruner))
    OPENED[name] = study, storage
    return OPENED[name]
