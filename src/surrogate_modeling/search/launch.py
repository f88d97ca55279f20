"""Trials started in the places of a search, and how each ended recorded in the study."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn
from omegaconf import DictConfig
from optuna.trial import Trial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.quoting import quote
from surrogate_modeling.config.refusals import one_line
from surrogate_modeling.experiment.assignment import Pruned
from surrogate_modeling.search.launchers import launcher_refusals
from surrogate_modeling.search.places import Places
from surrogate_modeling.search.record import SearchRecord, remove_empty_above
from surrogate_modeling.search.results import describe
from surrogate_modeling.search.space import to_overrides
from surrogate_modeling.search.study import FOLDER, INTERRUPTED, REASON, SearchStudy
from surrogate_modeling.search.workers import Worker
from surrogate_modeling.tracking.parent import clear_sent, end_interrupted

log = logging.getLogger(__name__)
INTERRUPTION = "the search was interrupted"


class TrialLauncher:
    """Runs claimed trials.

    Args:
        study: of the search.
        config: Hydra's.
        loader: composes the configuration of a trial.
        places: where trials run.
        record: of the search.

    Attributes:
        running: trials that have not ended, by number.
    """

    def __init__(
        self, study: SearchStudy, config: DictConfig, loader: ConfigLoader, places: Places, record: SearchRecord
    ) -> None:
        self.study, self.config, self.loader, self.places = study, config, loader, places
        self.record, self.ask = record, study.store.patience.ask
        self.folder, self.token = record.folder.parent.parent, record.folder.parent.name
        self.running: dict[int, Trial] = {}
        self.failed = self.done = 0
        self.last_reason = ""

    def start(self, claimed: list[Trial], worker: Worker) -> None:
        """Start trials in free places.

        Args:
            claimed: trials that this process has taken.
            worker: this process.
        """
        self.running |= {trial.number: trial for trial in claimed}
        for trial in claimed:
            overrides = self._prepare(trial)
            if overrides is None:
                self._let_go(trial, worker)
            else:
                with launcher_refusals(self.config):
                    self.places.start(trial.number, overrides)

    def wait(self, worker: Worker) -> None:
        """Wait until a running trial has ended, and record how.

        Args:
            worker: this process.
        """
        for number, result in self.places.ended().items():
            trial = self.running[number]
            self._tell(trial, result)
            if isinstance(result, Exception):
                # Its process ended without a word; where it had recorded its end before, that stays.
                self._end_record(trial, f"its process ended: {one_line(result)}")
            self._let_go(trial, worker)

    def _let_go(self, trial: Trial, worker: Worker) -> None:
        """A trial is over."""
        worker.let_go(self.study.trial_id(trial.number))
        clear_sent(Path(trial.user_attrs[FOLDER]))
        del self.running[trial.number]

    def _end_record(self, trial: Trial, reason: str) -> None:
        folder = Path(trial.user_attrs[FOLDER])
        end_interrupted(folder, reason)
        remove_empty_above(folder, levels=1)

    @contextmanager
    def open(self, worker: Worker) -> Iterator[None]:
        """While trials may run; those that still do when it ends are interrupted.

        Args:
            worker: this process.
        """
        try:
            yield
        except KeyboardInterrupt:
            self.study.store.patience.end()
            raise
        finally:
            try:
                self.places.close()
            finally:
                for trial in self.running.values():
                    self._interrupt(trial, worker)

    def _interrupt(self, trial: Trial, worker: Worker) -> None:
        worker.let_go(self.study.trial_id(trial.number))
        try:
            self.ask(lambda: self.study.interrupt(trial.number, INTERRUPTION))
        except UserError as error:
            # Once this process has ended, others see that, and give the trial up.
            log.warning("trial %d stays RUNNING in the study: %s", trial.number, error)
        if FOLDER in trial.user_attrs:
            self._end_record(trial, INTERRUPTION)
            clear_sent(Path(trial.user_attrs[FOLDER]))

    def _prepare(self, trial: Trial) -> list[str] | None:
        """The overrides of a trial; None when they do not compose, which is its failure."""
        study = self.study.study
        subdir = f"{trial.number}-{self.token}"
        overrides = [
            *to_overrides(self.study.space, trial.params),
            # Resolvers may not be known where the trial runs, so these are given resolved.
            f"hydra.sweep.dir={quote(str(self.folder))}",
            f"hydra.sweep.subdir={quote(subdir)}",
            f"hydra.sweeper.study_name={quote(study.study_name)}",
            f"hydra.sweeper.trial={trial.number}",
        ]
        if self.study.settings.pruner is None:
            overrides.append("hydra.sweeper.pruner=null")
        if self.record.run_id:
            overrides.append(f"hydra.sweeper.parent_run={quote(self.record.run_id)}")
        self.ask(lambda: trial.set_user_attr(FOLDER, str(self.folder / subdir)))
        log.info("trial %d: %s", trial.number, describe(trial.params))
        if self.study.settings.n_jobs > 1:
            # Where several are launched together, its failure would end all of them.
            try:
                self.loader.load_sweep_config(self.config, overrides)
            except Exception as error:
                self._fail(trial, one_line(error))
                return None
        return overrides

    def _tell(self, trial: Trial, result: JobReturn | Exception) -> None:
        try:
            # Hydra's own way to the error prints a line about it.
            error = result._return_value if isinstance(result, JobReturn) else result
            if isinstance(error, Exception):
                raise error
            values = self._values(error)
        except Pruned as pruned:
            self._note(trial, str(pruned))
            log.info("trial %d was pruned: %s", trial.number, pruned)
            self._end(trial, TrialState.PRUNED)
        except Exception as error:
            self._fail(trial, one_line(error))
        else:
            self._end(trial, TrialState.COMPLETE, values)

    def _values(self, returned: Any) -> list[float]:
        """The objective as numbers.

        Raises:
            ValueError: not as many numbers as objectives, or one is not finite.
        """
        names = self.study.settings.objective
        given = list(returned) if isinstance(returned, list | tuple) else [returned]
        if len(given) != len(names) or not all(isinstance(value, int | float) for value in given):
            raise ValueError(f"returned {returned!r} for {', '.join(names)}")
        for name, value in zip(names, given, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
        return [float(value) for value in given]

    def _fail(self, trial: Trial, reason: str) -> None:
        self.last_reason = reason
        self._note(trial, reason)
        log.error("trial %d FAILED: %s", trial.number, reason)
        self._end(trial, TrialState.FAIL)

    def _note(self, trial: Trial, reason: str) -> None:
        try:
            self.ask(lambda: trial.set_user_attr(REASON, reason))
        except optuna.exceptions.UpdateFinishedTrialError:
            # Another process had given it up, which is said where it ends.
            return

    def _end(self, trial: Trial, state: TrialState, values: list[float] | None = None) -> None:
        try:
            self.ask(lambda: self.study.study.tell(trial, values=values, state=state))
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            # Where only the answer of the storage was lost, it has what it was told.
            if INTERRUPTED in self.ask(self.study.trials)[trial.number].user_attrs:
                log.warning("trial %d: another process had given it up; its result is lost", trial.number)
                return
        self.done += 1
        self.failed += state is TrialState.FAIL
