"""The loop of a search: claim, launch, record, until the study has its trials."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, Trial

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.composition import require_values
from surrogate_modeling.search.launch import TrialLauncher
from surrogate_modeling.search.places import make_places
from surrogate_modeling.search.problem import SampledConfigs, incomparable_curves, state_problem
from surrogate_modeling.search.progress import Progress
from surrogate_modeling.search.pruning import OPENED
from surrogate_modeling.search.record import SearchRecord, remove_empty_above
from surrogate_modeling.search.settings import read_settings
from surrogate_modeling.search.space import Space, parse_space
from surrogate_modeling.search.storage import open_storage, quieten_optuna
from surrogate_modeling.search.study import FOLDER, SearchStudy, default_name
from surrogate_modeling.search.workers import Worker
from surrogate_modeling.tracking.parent import end_interrupted

log = logging.getLogger(__name__)
SECONDS_BETWEEN_LOOKS = 2.0
# So many failures are not yet a share.
FEWEST_FAILURES = 3


class Search:
    """One ``-m`` command.

    Args:
        config: Hydra's, with ``hydra.sweeper``.
        loader: composes the configuration of a trial.
        launcher: Hydra's, runs trials.
        arguments: the task's overrides as typed.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader, launcher: Launcher, arguments: Sequence[str]) -> None:
        quieten_optuna()
        self.settings = read_settings(config)
        self.space: Space = parse_space(arguments, self.settings.params, loader)
        configs = SampledConfigs(config, loader, self.space)
        require_values(configs.composed[""])
        problem = state_problem(configs, self.settings)
        if self.settings.prunes and (varied := incomparable_curves(configs)):
            log.info("no pruning: validation curves do not compare between values of %s", ", ".join(varied))
            self.settings = replace(self.settings, pruner=None)
        chosen = "models" if "model" in self.space.searched else config.hydra.runtime.choices.get("model")
        label = str(chosen or config.hydra.job.name)
        name = self.settings.study_name or default_name(label, problem)
        self.study = SearchStudy(open_storage(self.settings.storage), name, self.space, self.settings, problem)
        folder = Path(str(config.hydra.sweep.dir)).absolute()
        self.record = SearchRecord(self.study, config, loader, folder, secrets.token_hex(3))
        places = make_places(launcher, config, self.settings.n_jobs)
        self.trials = TrialLauncher(self.study, config, loader, places, self.record)

    def run(self) -> None:
        """Search until the study has ``n_trials`` with a result.

        Raises:
            UserError: too many trials failed, or the storage does not answer.
        """
        study = self.study
        # Mid-search it is asked again; whatever else is asked of it must not end in a traceback either.
        with study.store.patience.once():
            self._announce()
            # Pruning in this very process needs no second connection.
            OPENED[study.study.study_name] = study.study, study.store
            worker = Worker(study.store.folder, study.store.storage)
            try:
                with self.record.running(), self.trials.open(worker):
                    self._loop(worker, Progress(study))
            finally:
                worker.close()
                OPENED.pop(study.study.study_name, None)

    def _announce(self) -> None:
        study = self.study
        log.info(
            "search %s in %s: %d of %d trials done, %s", study.study.study_name, study.store.place,
            len(study.with_result()), study.target, _size(self.space),
        )  # fmt: skip
        if study.target < self.settings.n_trials:
            log.info(
                "hydra.sweeper.n_trials=%d, but there are only %d combinations", self.settings.n_trials, study.target
            )
        if self.settings.n_jobs == 1:
            log.info("Ctrl-C once while a trial trains: it ends after its epoch and counts; twice: the search stops")

    def _loop(self, worker: Worker, progress: Progress) -> None:
        waiting, running, ask = False, self.trials.running, self.study.store.patience.ask
        while True:
            failure = self._too_many_failures()
            claimed = [] if failure else self._claim(worker)
            if running:
                if failure and not waiting:
                    log.error("%s; waiting for %d trials that still run", failure, len(running))
                waiting = failure is not None
                self.trials.wait(worker)
                ask(progress.report)
            elif failure:
                raise UserError(failure)
            elif claimed:
                # None of them could be started.
                waiting = False
                ask(progress.report)
            elif others := ask(self.study.others_running):
                if not waiting:
                    log.info("waiting for %d trials of other processes", len(others))
                waiting = True
                time.sleep(SECONDS_BETWEEN_LOOKS)
            else:
                return

    def _claim(self, worker: Worker) -> list[Trial]:
        """Take trials for the free places and start them."""
        free = self.settings.n_jobs - len(self.trials.running)
        claimed, dead = self.study.store.patience.ask(lambda: self.study.claim(worker, free))
        for trial in dead:
            _end_dead(trial)
        self.trials.start(claimed, worker)
        return claimed

    def _too_many_failures(self) -> str | None:
        """What is said when too many trials failed for the search to go on."""
        rate = self.settings.max_failure_rate
        few = rate > 0 and self.trials.failed < min(FEWEST_FAILURES, self.study.target)
        if self.trials.failed > rate * self.trials.done and not few:
            return (
                f"{self.trials.failed} of {self.trials.done} trials failed, more than "
                f"hydra.sweeper.max_failure_rate={rate:g} allows; the last: {self.trials.last_reason}"
            )
        return None


def _end_dead(trial: FrozenTrial) -> None:
    log.warning("trial %d was running when its process ended: marked FAILED, it does not count", trial.number)
    folder = trial.user_attrs.get(FOLDER)
    if folder:
        end_interrupted(Path(folder), "the process ended before the run did")
        remove_empty_above(Path(folder), levels=1)


def _size(space: Space) -> str:
    return f"{space.size:.0f} combinations" if math.isfinite(space.size) else f"{len(space.searched)} keys searched"
