"""Trials launched together by Hydra's launcher, and how each ended recorded in the study."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, configure_log
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import Trial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.refusals import configuration_message
from surrogate_modeling.experiment.assignment import Pruned
from surrogate_modeling.search.record import SearchRecord, remove_empty_above
from surrogate_modeling.search.results import describe
from surrogate_modeling.search.space import quoted, to_overrides
from surrogate_modeling.search.study import FOLDER, REASON, SearchStudy
from surrogate_modeling.search.workers import Worker
from surrogate_modeling.tracking.parent import clear_sent, end_interrupted

log = logging.getLogger(__name__)


class TrialLauncher:
    """Runs claimed trials.

    Args:
        study: of the search.
        config: Hydra's.
        loader: composes the configuration of a trial.
        launcher: Hydra's.
        record: of the search.
    """

    def __init__(
        self, study: SearchStudy, config: DictConfig, loader: ConfigLoader, launcher: Launcher, record: SearchRecord
    ) -> None:
        self.study, self.config, self.loader, self.launcher = study, config, loader, launcher
        self.record = record
        self.folder, self.token = record.folder.parent.parent, record.folder.parent.name
        self.failed = self.done = 0
        self.last_reason = ""

    def run(self, claimed: list[Trial], worker: Worker) -> None:
        """Launch trials together and record how each ended.

        Args:
            claimed: trials that this process has taken.
            worker: this process.
        """
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
                    if isinstance(result, Exception):
                        # Its process ended without a word; where it had recorded its end before, that stays.
                        end_interrupted(Path(trial.user_attrs[FOLDER]), f"its process ended: {_reason(result)}")
                        remove_empty_above(Path(trial.user_attrs[FOLDER]), levels=1)
        for trial in claimed:
            worker.let_go(self.study.trial_id(trial.number))
            clear_sent(Path(trial.user_attrs[FOLDER]))

    @contextmanager
    def _interrupting(self, claimed: list[Trial], worker: Worker) -> Iterator[None]:
        try:
            yield
        except BaseException:
            for trial in claimed:
                worker.let_go(self.study.trial_id(trial.number))
                self.study.interrupt(trial.number, "the search was interrupted")
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
            *to_overrides(self.study.space, trial.params),
            # Resolvers may not be known where the trial runs, so these are given resolved.
            f"hydra.sweep.dir={quoted(str(self.folder))}",
            f"hydra.sweep.subdir={quoted(subdir)}",
            f"hydra.sweeper.study_name={quoted(study.study_name)}",
            f"hydra.sweeper.trial={trial.number}",
        ]
        if self.study.settings.pruner is None:
            overrides.append("hydra.sweeper.pruner=null")
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


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Launchers log each trial once more, with every override."""
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
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"
