"""A study that several processes work on: begun or continued, its trials claimed, those of dead processes ended."""

from __future__ import annotations

import logging
import secrets
import warnings
from collections.abc import Sequence
from datetime import datetime

import optuna
from hydra.utils import instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import lines_and_rest
from surrogate_modeling.search.away import AWAY
from surrogate_modeling.search.problem import Problem
from surrogate_modeling.search.samplers import Exhausted, SearchSampler, make_sampler
from surrogate_modeling.search.settings import SearchSettings
from surrogate_modeling.search.space import Space
from surrogate_modeling.search.storage import Store
from surrogate_modeling.search.workers import Liveness, Worker

log = logging.getLogger(__name__)
WITH_RESULT = (TrialState.COMPLETE, TrialState.PRUNED)
INTERRUPTED, REASON, FOLDER = "interrupted", "reason", "folder"
PROBLEM, SEED, RECORDS = "problem", "seed", "records"
MAX_NAMED_DIFFERENCES = 8
NEVER = datetime.min


def default_name(label: str, problem: Problem) -> str:
    """The same for the same search, however many trials it wants and whatever samples them."""
    return f"{label}-{problem.digest()}"


class SearchStudy:
    """A study and what this process needs to work on it with others.

    Args:
        store: where it is kept.
        name: of the study.
        space: what is searched.
        settings: of the search.
        problem: of the search.

    Raises:
        UserError: the study of this name has another problem, or the store does not answer.
    """

    def __init__(self, store: Store, name: str, space: Space, settings: SearchSettings, problem: Problem) -> None:
        self.store, self.space, self.settings = store, space, settings
        self.sampler: SearchSampler = make_sampler(settings.sampler, space, len(settings.objective))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            pruner = instantiate(settings.pruner) if settings.prunes else optuna.pruners.NopPruner()
        with store.patience.once(AWAY), store.locked(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            known = optuna.get_all_study_names(store.storage)
            if settings.study_name is None and name not in known:
                self._log_neighbour(problem)
            self.study: Study = optuna.create_study(
                study_name=name,
                storage=store.storage,
                sampler=self.sampler,
                pruner=pruner,
                directions=[StudyDirection[name.upper()] for name in settings.directions],
                load_if_exists=True,
            )
            self._check_continued(problem)
            self.study.set_user_attr(PROBLEM, problem.flat())
            self.study.set_metric_names(list(settings.objective))
            self._choose_seed()
            self.sampler.first_number = len(self.trials())
        self.liveness = Liveness()
        self._outages = store.patience.outages
        self._ids: dict[int, int] = {}
        self._dead: list[FrozenTrial] = []

    @property
    def target(self) -> int:
        """Trials with a result that this search wants; a small space cannot give more than it has points."""
        return int(min(self.settings.n_trials, self.space.size))

    def trials(self) -> list[FrozenTrial]:
        """All trials of the study."""
        return self.study.get_trials(deepcopy=False)

    def with_result(self) -> list[FrozenTrial]:
        """Trials that count."""
        return [trial for trial in self.trials() if trial.state in WITH_RESULT]

    def _choose_seed(self) -> None:
        """Without a seed of its own the search takes the study's, drawn when the study begins."""
        seed = self.study.user_attrs.get(SEED)
        if seed is None:
            seed = secrets.randbelow(2**31)
            self.study.set_user_attr(SEED, seed)
        if self.sampler.seed is None:
            self.sampler.seed = seed

    def _check_continued(self, problem: Problem) -> None:
        """A study goes on only with its own problem.

        Raises:
            UserError: the study of this name has another one; what differs is named.
        """
        kept = self.study.user_attrs.get(PROBLEM)
        name = f"hydra.sweeper.study_name={self.study.study_name}"
        if kept is None:
            if self.trials():
                raise UserError(
                    f"{name}: this study does not say what problem it has; a search needs a study of its own"
                )
            return
        if differing := problem.differences(kept, ranges_may_change=True):
            raise UserError(
                f"{name}: this study has another problem: {_shortened(differing)}; give another name, or null"
            )

    def _log_neighbour(self, problem: Problem) -> None:
        """Say what differs where the store has a study of the same ranges and objectives, but of another problem."""
        studies = optuna.get_all_study_summaries(self.store.storage, include_best_trial=False)
        began = [study for study in studies if study.datetime_start and PROBLEM in study.user_attrs]
        for study in sorted(began, key=lambda study: study.datetime_start or NEVER, reverse=True):
            differing = problem.differences(study.user_attrs[PROBLEM], ranges_may_change=False)
            if differing and not any(text.startswith(("range of", "objective")) for text in differing):
                log.info("a new study; compared with %s: %s", study.study_name, _shortened(differing))
                return

    def _give_up_dead(self, worker: Worker) -> None:
        """Mark running trials that nobody works on any more as failed."""
        if (outages := self.store.patience.outages) > self._outages:
            self._outages = outages
            self.liveness.forget()
        for trial in self.others_running():
            if worker.has_left(trial, self.trial_id(trial.number)):
                self.interrupt(trial.number, "not started: the storage of the study did not answer")
                log.warning("trial %d was not started, as the storage did not answer: it does not count", trial.number)
            elif not self.liveness.is_alive(trial):
                self.interrupt(trial.number, "its process ended before the trial did (killed, or power lost)")
                self._dead.append(trial)

    def trial_id(self, number: int) -> int:
        """The storage's name of a trial."""
        if number not in self._ids:
            storage = self.store.storage
            study_id = storage.get_study_id_from_name(self.study.study_name)
            self._ids[number] = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return self._ids[number]

    def interrupt(self, number: int, reason: str) -> None:
        """End a running trial that does not count and whose point may be tried again."""
        storage, trial_id = self.store.storage, self.trial_id(number)
        try:
            storage.set_trial_user_attr(trial_id, REASON, reason)
            storage.set_trial_user_attr(trial_id, INTERRUPTED, True)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except optuna.exceptions.UpdateFinishedTrialError:
            log.info("a trial ended while it was being given up")

    def claim(self, worker: Worker, at_once: int) -> tuple[list[Trial], list[FrozenTrial]]:
        """Take new trials, as many as are missing and nobody else runs.

        May be called again where the storage did not answer.

        Args:
            worker: this process.
            at_once: at most so many.

        Returns:
            The trials, and those of dead processes that were given up.
        """
        with self.store.locked():
            self._give_up_dead(worker)
            trials = self.trials()
            wanted = self.target - sum(t.state in (*WITH_RESULT, TrialState.RUNNING) for t in trials)
            claimed: list[Trial] = []
            for _ in range(min(at_once, wanted)):
                try:
                    trial = self._ask(worker)
                except AWAY:
                    if not claimed:
                        raise
                    # Those that were taken must run.
                    break
                if trial is None:
                    break
                claimed.append(trial)
            dead, self._dead = self._dead, []
            return claimed, dead

    def _ask(self, worker: Worker) -> Trial | None:
        """A new trial, or None when every point of the space was tried."""
        if not self.sampler.has_free(self.trials()):
            return None
        trial = self.study.ask()
        trial_id = self.trial_id(trial.number)
        worker.take(trial_id)
        try:
            for name, distribution in self.space.searched.items():
                _suggest(trial, name, distribution)
        except BaseException as error:
            reason = "no point of the space was left" if isinstance(error, Exhausted) else f"not started: {error}"
            worker.let_go(trial_id)
            self.interrupt(trial.number, reason)
            if isinstance(error, Exhausted):
                return None
            raise
        return trial

    def others_running(self) -> list[FrozenTrial]:
        """Running trials; between claims these are other processes'."""
        return [trial for trial in self.trials() if trial.state is TrialState.RUNNING]

    def best(self) -> list[FrozenTrial]:
        """Complete trials, best first; for several objectives the Pareto front, best by the first one first."""
        if len(self.settings.objective) > 1:
            found: Sequence[FrozenTrial] = self.study.best_trials
        else:
            found = [trial for trial in self.trials() if trial.state is TrialState.COMPLETE]
        sign = 1 if self.settings.directions[0] == "minimize" else -1
        return sorted(found, key=lambda trial: (sign * trial.values[0], trial.number))


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    """Draw one parameter, by Optuna's public names."""
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _shortened(differing: Sequence[str]) -> str:
    return "; ".join(lines_and_rest(differing, MAX_NAMED_DIFFERENCES))
