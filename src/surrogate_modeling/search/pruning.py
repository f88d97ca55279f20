"""Pruning: a trial reports its validation curve to the study, and ends when the study's pruner says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.experiment.assignment import Pruned

if TYPE_CHECKING:
    from optuna.study import Study

    from surrogate_modeling.search.storage import Store

log = logging.getLogger(__name__)
# Studies of this process by name, so that trials in it need not open the storage, and memory can be shared at all.
OPENED: dict[str, tuple[Study, Store]] = {}


def make_reporter(number: int, monitor: str) -> OnEpoch | None:
    """A function that reports each epoch to the study and raises :class:`Pruned` when the pruner ends the trial.

    Args:
        number: of the trial.
        monitor: metric that is reported.

    Returns:
        None where the study is in the memory of another process, or its storage does not answer.
    """
    from surrogate_modeling.search.away import AWAY

    try:
        opened = _open_study()
    except (*AWAY, UserError) as error:
        log.warning("this trial trains without pruning: %s", error)
        return None
    return None if opened is None else _Reporter(*opened, number, monitor)


class _Reporter:
    """Reports a trial's epochs; pruning is advice, so that a storage which is away does not end the training."""

    def __init__(self, study: Study, store: Store, number: int, monitor: str) -> None:
        self.study, self.store, self.number, self.monitor = study, store, number, monitor
        self.is_away = False

    def __call__(self, metrics: dict[str, float], epoch: int) -> None:
        from surrogate_modeling.search.away import AWAY

        value = metrics.get(self.monitor)
        if value is None:
            return
        try:
            is_behind = self._is_behind(value, epoch)
        except AWAY as error:
            if not self.is_away:
                log.warning(
                    "hydra.sweeper.storage=%s does not answer: %s; the training goes on, without pruning until it does",
                    self.store.place, self.store.patience.reason(error),
                )  # fmt: skip
            self.is_away = True
            return
        self.is_away = False
        if is_behind:
            raise Pruned(f"{self.monitor} {value:.4g} at epoch {epoch} is behind the earlier trials")

    def _is_behind(self, value: float, epoch: int) -> bool:
        storage = self.store.storage
        study_id = storage.get_study_id_from_name(self.study.study_name)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, self.number)
        storage.set_trial_intermediate_value(trial_id, epoch, value)
        return self.study.pruner.prune(self.study, storage.get_trial(trial_id))


def _open_study() -> tuple[Study, Store] | None:
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
    store = open_storage(str(sweeper.storage))
    study = optuna.load_study(study_name=name, storage=store.storage, pruner=instantiate(sweeper.pruner))
    OPENED[name] = study, store
    return OPENED[name]
