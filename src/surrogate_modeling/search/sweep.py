"""The loop of a search: claim, launch, record, until the study has its trials."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, configure_log
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import FrozenTrial, Trial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.refusals import configuration_message
from surrogate_modeling.experiment.assignment import Pruned
from surrogate_modeling.search.progress import Progress
from surrogate_modeling.search.record import SearchRecord
from surrogate_modeling.search.results import describe
from surrogate_modeling.search.settings import read_settings
from surrogate_modeling.search.space import Space, parse_space, quoted, to_overrides
from surrogate_modeling.search.storage import open_storage, quieten_optuna
from surrogate_modeling.search.study import FOLDER, REASON, SearchStudy, default_name
from surrogate_modeling.search.trial import LIVE
from surrogate_modeling.search.workers import Worker
from surrogate_modeling.tracking.parent import clear_sent, end_interrupted

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
        self.config, self.loader, self.launcher = config, loader, launcher
        self.settings = read_settings(config)
        self.space: Space = parse_space(arguments, self.settings.params)
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()
        self.token = secrets.token_hex(3)
        self._check_composes()
        store = open_storage(self.settings.storage)
        label = str(config.hydra.runtime.choices.get("model") or config.hydra.job.name)
        name = self.settings.study_name or default_name(self.space, self.settings, label)
        self.study = SearchStudy(store, name, self.space, self.settings)
        self.record = SearchRecord(self.study, self.config, self.loader, self.folder, self.token)
        self.failed = self.done = 0
        self.last_reason = ""

    def _check_composes(self) -> None:
        """What is wrong with every trial is said before the first one."""
        first = {name: _first(distribution) for name, distribution in self.space.searched.items()}
        composed = self.loader.load_sweep_config(self.config, to_overrides(self.space, first))
        task = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
        missing = sorted(OmegaConf.missing_keys(task))
        if missing:
            raise UserError(f"{', '.join(missing)}: no value given; add {missing[0]}=... to the command")

    def run(self) -> None:
        """Search until the study has ``n_trials`` with a result.

        Raises:
            UserError: too many trials failed.
        """
        study = self.study
        done = len(study.with_result())
        log.info(
            "search %s in %s: %d of %d trials done, %s",
            study.study.study_name, study.store.place, done, study.target, _size(self.space),
        )  # fmt: skip
        if study.target < self.settings.n_trials:
            log.info(
                "hydra.sweeper.n_trials=%d, but there are only %d combinations", self.settings.n_trials, study.target
            )
        # Pruning in this very process needs no second connection.
        LIVE[study.study.study_name] = study.study
        worker = Worker(study.store.folder, study.store.storage)
        try:
            with self.record.running():
                self._loop(worker, Progress(study, self.settings.n_jobs))
        finally:
            worker.close()
            LIVE.pop(study.study.study_name, None)

    def _loop(self, worker: Worker, progress: Progress) -> None:
        waiting = False
        while True:
            claimed, dead = self.study.claim(worker, self.settings.n_jobs)
            for trial in dead:
                self._say_dead(trial)
            if claimed:
                waiting = False
                self._run(claimed, worker, progress)
                self._check_failures()
                continue
            others = self.study.others_running()
            if not others:
                return
            if not waiting:
                log.info("waiting for %d trials of other processes", len(others))
                waiting = True
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _say_dead(self, trial: FrozenTrial) -> None:
        log.warning("trial %d was running when its process ended: marked FAILED, it does not count", trial.number)
        folder = trial.user_attrs.get(FOLDER)
        if folder:
            end_interrupted(Path(folder), "the process ended before the run did")

    def _run(self, claimed: list[Trial], worker: Worker, progress: Progress) -> None:
        """Launch trials together and record how each ended."""
        with self._interrupting(claimed, worker):
            started = [
                (trial, overrides)
                for trial in claimed
                if (overrides := self._prepare(trial, len(claimed) > 1)) is not None
            ]
            if started:
                with _quiet_launcher():
                    returns = self._launch(started)
                for (trial, _), result in zip(started, returns, strict=True):
                    self._tell(trial, result)
        for trial in claimed:
            worker.let_go(trial._trial_id)
            clear_sent(Path(trial.user_attrs[FOLDER]))
        progress.say()

    @contextmanager
    def _interrupting(self, claimed: list[Trial], worker: Worker) -> Iterator[None]:
        try:
            yield
        except BaseException:
            for trial in claimed:
                worker.let_go(trial._trial_id)
                self.study.interrupt(trial._trial_id, "the search was interrupted")
                clear_sent(Path(trial.user_attrs.get(FOLDER, self.folder)))
            raise

    def _prepare(self, trial: Trial, together: bool) -> list[str] | None:
        """The overrides of a trial; None when they do not compose, which is its failure.

        Args:
            trial: to be started.
            together: with others, whose launch its failure would end as well.
        """
        study = self.study.study
        subdir = f"{trial.number}-{self.token}"
        overrides = [
            *to_overrides(self.space, trial.params),
            # Resolvers may not be known where the trial runs, so these are given resolved.
            f"hydra.sweep.dir={quoted(str(self.folder))}",
            f"hydra.sweep.subdir={quoted(subdir)}",
            f"hydra.sweeper.study_name={quoted(study.study_name)}",
            f"hydra.sweeper.trial={trial.number}",
        ]
        if self.record.run_id:
            overrides.append(f"hydra.sweeper.parent_run={quoted(self.record.run_id)}")
        trial.set_user_attr(FOLDER, str(self.folder / subdir))
        log.info("trial %d: %s", trial.number, describe(trial.params))
        if together:
            try:
                self.loader.load_sweep_config(self.config, overrides)
            except Exception as error:
                self._fail(trial, _reason(error))
                return None
        return overrides

    def _launch(self, started: list[tuple[Trial, list[str]]]) -> Sequence[Any]:
        """Hydra's returns, or the error that ended all of them, such as a worker killed for its memory."""
        try:
            return self.launcher.launch([overrides for _, overrides in started], initial_job_idx=started[0][0].number)
        except Exception as error:
            return [error] * len(started)
        finally:
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)

    def _tell(self, trial: Trial, result: JobReturn | Exception) -> None:
        try:
            # Hydra's own way to the error prints a line about it.
            error = result._return_value if isinstance(result, JobReturn) else result
            if isinstance(error, Exception):
                raise error
            values = self._values(error)
        except Pruned as pruned:
            trial.set_user_attr(REASON, str(pruned))
            log.info("trial %d was pruned: %s", trial.number, pruned)
            self._end(trial, TrialState.PRUNED)
        except Exception as error:
            self._fail(trial, _reason(error))
        else:
            self._end(trial, TrialState.COMPLETE, values)

    def _values(self, returned: Any) -> list[float]:
        """The objective as numbers.

        Raises:
            ValueError: not as many numbers as objectives, or one is not finite.
        """
        names = self.settings.objective
        given = list(returned) if isinstance(returned, list | tuple) else [returned]
        if len(given) != len(names) or not all(isinstance(value, int | float) for value in given):
            raise ValueError(f"returned {returned!r} for {', '.join(names)}")
        for name, value in zip(names, given, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
        return [float(value) for value in given]

    def _fail(self, trial: Trial, reason: str) -> None:
        self.last_reason = reason
        trial.set_user_attr(REASON, reason)
        log.error("trial %d FAILED: %s", trial.number, reason)
        self._end(trial, TrialState.FAIL)

    def _end(self, trial: Trial, state: TrialState, values: list[float] | None = None) -> None:
        try:
            self.study.study.tell(trial, values=values, state=state)
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            log.warning("trial %d: another process had given it up; its result is lost", trial.number)
            return
        self.done += 1
        self.failed += state is TrialState.FAIL

    def _check_failures(self) -> None:
        rate = self.settings.max_failure_rate
        few = rate > 0 and self.failed < min(FEWEST_FAILURES, self.study.target)
        if self.failed > rate * self.done and not few:
            raise UserError(
                f"{self.failed} of {self.done} trials failed, more than hydra.sweeper.max_failure_rate={rate:g} "
                f"allows; the last: {self.last_reason}"
            )


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Launchers repeat what we said of a trial, with every override."""
    loggers = [logging.getLogger(name) for name in ("hydra._internal.core_plugins", "hydra_plugins")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _reason(error: Exception) -> str:
    """One line of why."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return configuration_message(error)
    said = " ".join(str(error).split())[:500]
    return said if isinstance(error, UserError) else f"{type(error).__name__}: {said}"


def _first(distribution: Any) -> Any:
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def _size(space: Space) -> str:
    return f"{space.size:.0f} combinations" if math.isfinite(space.size) else f"{len(space.searched)} keys searched"
