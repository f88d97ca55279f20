"""One study: opened or continued, trials claimed one by one, trials of dead processes given up."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from hydra.utils import instantiate
from optuna.distributions import CategoricalDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search.samplers import Exhausted, SearchSampler, make_sampler
from surrogate_modeling.search.settings import SearchSettings
from surrogate_modeling.search.space import Space
from surrogate_modeling.search.storage import Store
from surrogate_modeling.search.workers import Watch, Worker

log = logging.getLogger(__name__)
WITH_RESULT = (TrialState.COMPLETE, TrialState.PRUNED)
INTERRUPTED, REASON, FOLDER = "interrupted", "reason", "folder"


def default_name(space: Space, settings: SearchSettings, label: str) -> str:
    """The same for the same search, however many trials it wants and whatever samples them.

    Args:
        space: searched and fixed overrides.
        settings: objective and directions.
        label: readable start of the name.
    """
    what = [
        sorted(space.fixed),
        {k: repr(v) for k, v in space.searched.items()},
        settings.objective,
        settings.directions,
    ]
    return f"{label}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]}"


class SearchStudy:
    """A study and what this process needs to work on it with others.

    Args:
        store: where it is kept.
        name: of the study.
        space: what is searched.
        settings: of the search.
    """

    def __init__(self, store: Store, name: str, space: Space, settings: SearchSettings) -> None:
        self.store, self.space, self.settings = store, space, settings
        self.sampler: SearchSampler = make_sampler(settings.sampler, space, len(settings.objective))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            pruner = instantiate(settings.pruner) if settings.prunes else optuna.pruners.NopPruner()
        with store.locked(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study: Study = optuna.create_study(
                study_name=name,
                storage=store.storage,
                sampler=self.sampler,
                pruner=pruner,
                directions=[StudyDirection[name.upper()] for name in settings.directions],
                load_if_exists=True,
            )
            self._check_continued()
            self.study.set_user_attr("objective", list(settings.objective))
            self.study.set_metric_names(list(settings.objective))
            self.sampler.first_number = len(self.trials())
        self.watch = Watch()

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

    def _check_continued(self) -> None:
        """A study can only go on as what it is.

        Raises:
            UserError: the study of this name searches for something else.
        """
        before = self.study.user_attrs.get("objective", list(self.settings.objective))
        directions = tuple(direction.name.lower() for direction in self.study.directions)
        if before != list(self.settings.objective) or directions != self.settings.directions:
            raise UserError(
                f"hydra.sweeper.study_name={self.study.study_name}: this study searches for {before}, {directions}, "
                f"not {list(self.settings.objective)}, {self.settings.directions}; a new study needs a new name"
            )
        for trial in self.trials():
            for key, earlier in trial.distributions.items():
                now = self.space.searched.get(key, earlier)
                if now != earlier and isinstance(now, CategoricalDistribution):
                    raise UserError(
                        f"hydra.sweeper.study_name={self.study.study_name}: {key} was {_words(earlier)} in this study "
                        f"and is now {_words(now)}; changed choices need a new study, so a new name"
                    )

    def give_up_dead(self) -> list[FrozenTrial]:
        """Mark running trials whose process ended as failed; call it inside the store's lock."""
        dead = [t for t in self.trials() if t.state is TrialState.RUNNING and not self.watch.is_alive(t)]
        for trial in dead:
            self.interrupt(trial._trial_id, "its process ended before the trial did (killed, or power lost)")
        return dead

    def interrupt(self, trial_id: int, reason: str) -> None:
        """End a running trial that does not count and whose point may be tried again."""
        storage = self.store.storage
        try:
            storage.set_trial_user_attr(trial_id, REASON, reason)
            storage.set_trial_user_attr(trial_id, INTERRUPTED, True)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except optuna.exceptions.UpdateFinishedTrialError:
            log.info("a trial ended while it was being given up")

    def claim(self, worker: Worker, at_once: int) -> tuple[list[Trial], list[FrozenTrial]]:
        """Take new trials, as many as are missing and nobody else runs.

        Args:
            worker: this process.
            at_once: at most so many.

        Returns:
            The trials, and those of dead processes that were given up.
        """
        with self.store.locked():
            dead = self.give_up_dead()
            trials = self.trials()
            wanted = self.target - sum(t.state in (*WITH_RESULT, TrialState.RUNNING) for t in trials)
            claimed: list[Trial] = []
            for _ in range(min(at_once, wanted)):
                trial = self._ask(worker)
                if trial is None:
                    break
                claimed.append(trial)
            return claimed, dead

    def _ask(self, worker: Worker) -> Trial | None:
        """A new trial, or None when every point of the space was tried."""
        if not self.sampler.has_free(self.trials()):
            return None
        trial = self.study.ask()
        worker.take(trial._trial_id)
        try:
            for name, distribution in self.space.searched.items():
                trial._suggest(name, distribution)
        except BaseException as error:
            reason = "no point of the space was left" if isinstance(error, Exhausted) else f"not started: {error}"
            self.interrupt(trial._trial_id, reason)
            worker.let_go(trial._trial_id)
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


def _words(distribution: Any) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {list(distribution.choices)}"
    return str(distribution)
