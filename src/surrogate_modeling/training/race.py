"""Models that take long, fitted without one fold after another within a time limit.

All are fitted without the first fold. Those that pay (:mod:`selection`) are fitted without as many of the others as
leave every training its time, and what is left of it trains networks from other starts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from surrogate_modeling.common import early_end
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.training.attempts import Attempt, ClosedForms
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.fold_pool import (
    MIN_TRAINING_MINUTES,
    FoldJob,
    FoldOutcome,
    network_of,
    processes_for,
    run_jobs,
)
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.members import member_seed
from surrogate_modeling.training.selection import Candidate, choose, further_folds, mixture_error

log = logging.getLogger(__name__)
# A training that gets less is not worth its place.
MIN_MINUTES = 0.5
# Of the time, what the first fold may take: a network is judged by what it is when trained, not when begun.
FIRST_SHARE = 0.5
# A training that took this part of the time allowed was cut short.
CUT_SHARE = 0.9
# More would make predictions slow for little: each start is a network per fold.
MAX_STARTS = 3


@dataclass(frozen=True)
class TrainedMember:
    """A network to be trained; of several of one kind, the best on the first fold is trained on.

    Attributes:
        model: its sizes.
        settings: its recipe.
        name: for people; none: that of its kind.
    """

    model: ModelConfig
    settings: SettingsConfig
    name: str = ""

    @property
    def label(self) -> str:
        """What it is called."""
        return self.name or self.model.name


class Race:
    """Trainings of several networks, and closed forms that take long, within a time limit.

    Args:
        training: cases in folds.
        members: the networks.
        forms: closed forms, which some networks start from.
        others: members that are fitted already.
        end: on the clock of :func:`time.monotonic`; None: as long as the recipes say.

    Attributes:
        attempts: of each network that was trained, by its name.
        others: members in closed form.
        untried: names of models for which there was no time.
        dropped: names of networks that did not go on after the first fold.
        epochs: of the longest fit.
        longest: seconds of the longest fit.
    """

    def __init__(
        self,
        training: FoldTraining,
        members: Sequence[TrainedMember],
        forms: ClosedForms,
        others: Sequence[Attempt],
        end: float | None,
    ) -> None:
        self.training, self.forms, self.others, self.end = training, forms, list(others), end
        self.members = list(members)
        self.attempts: dict[str, Attempt] = {}
        self.untried: list[str] = []
        self.dropped: list[str] = []
        self.epochs, self.longest = 0, 0.0
        self._whole: dict[str, float] = {}

    def run(self, closed_forms: Sequence[str] = ()) -> None:
        """Fit every model without the first fold, and those that help without the others.

        When training is asked to end, those that run end after their epoch, and no other is begun.

        Args:
            closed_forms: names of those that take long.
        """
        self._drop_unaffordable()
        self.members = [replace(member, model=self.training.structured(member.model)) for member in self.members]
        self.attempts = {member.label: Attempt(member.label, member.model) for member in self.members}
        count = len(self.training.folds.parts)
        if self.members:
            self._train(range(1), FIRST_SHARE if count > 1 else 1.0, ahead=True)
            self._drop_unbegun()
        looks = [] if self._is_over() else [self.forms.first_look(name) for name in closed_forms]
        looks = [look for look in looks if self._has_time_to_fit(look)]
        self.untried += [name for name in closed_forms if name not in {look.name for look in looks}]
        self._choose(looks)
        folds = 1 + self._further_folds(count - 1)
        if folds > 1:
            self._train(range(1, folds))
        for start in range(1, MAX_STARTS):
            if self.members and self._has_time_for(folds * len(self.members)):
                log.info("there is time left: every network is trained again from other weights, and their mean taken")
                self._train(range(folds), start=start)

    def _choose(self, looks: Sequence[Attempt]) -> None:
        """Keep the models that pay, and fit closed forms among them whole."""
        left = math.inf if self.end is None else max(1e-3, self.end - time.monotonic())
        parts = len(self.training.folds.parts)
        # Of each kind one is taken at most.
        processes = self._processes(len({member.model.name for member in self.members}) * (parts - 1))
        candidates = [
            Candidate(
                self.attempts[member.label], member.model.name,
                self._whole.get(member.label, 0.0) * (parts - 1) / processes / left,
            )
            for member in self.members
        ]  # fmt: skip
        candidates += [Candidate(look, look.name, look.seconds * (parts + 1) / left) for look in looks]
        chosen = choose(self.training, self.others, candidates)
        self.members = [member for member in self.members if member.label in chosen]
        self.dropped = [name for name in self.attempts if name not in chosen]
        self.attempts = {name: attempt for name, attempt in self.attempts.items() if name in chosen}
        for look in looks:
            if look.name in chosen and not self._is_asked_to_end:
                self.others.append(self.forms.fit(look.name))
                log.info("%s: %.0f s", look.name, self.others[-1].seconds)

    def _further_folds(self, count: int) -> int:
        """How many folds are left out after the first."""
        if not self.members or self._is_asked_to_end:
            return 0
        if self.end is None:
            return count
        whole = [self._whole.get(member.label, 0.0) for member in self.members]
        left, processes = self.end - time.monotonic(), self._processes(count * len(whole))
        done = sum(len(attempt.folds()) - 1 for attempt in self.attempts.values())
        folds = further_folds(left, processes, whole, count, done=done)
        if folds < count:
            log.warning(
                "settings.max_minutes: there is time to leave out %d of %d folds; the weights follow from these",
                1 + folds, 1 + count,
            )  # fmt: skip
        return folds

    def _processes(self, jobs: int) -> int:
        return processes_for(self.training, max(1, jobs))

    def _has_time_for(self, trainings: int) -> bool:
        """Whether so many more may be as long as those that were."""
        if self._is_asked_to_end or self.end is None or any(attempt.diverged for attempt in self.attempts.values()):
            return False
        rounds = math.ceil(trainings / processes_for(self.training, trainings))
        return time.monotonic() + rounds * self.longest < self.end

    def _has_time_to_fit(self, look: Attempt) -> bool:
        """Whether a closed form may be fitted without every fold and on all cases, each as long as the first."""
        fits = len(self.training.folds.parts) + 1
        return self.end is None or time.monotonic() + fits * look.seconds < self.end

    @property
    def _is_asked_to_end(self) -> bool:
        return early_end.is_asked(self.training.folder)

    def _is_over(self) -> bool:
        """Whether the time is or training was asked to end, some member being there."""
        over = self._is_asked_to_end or (self.end is not None and time.monotonic() > self.end)
        return over and bool(self.others or self.attempts)

    def _drop_unbegun(self) -> None:
        """Forget networks whose training was not begun."""
        unbegun = [name for name, attempt in self.attempts.items() if not attempt.rows and not attempt.diverged]
        self.untried += unbegun
        self.members = [member for member in self.members if member.label not in unbegun]
        self.attempts = {name: attempt for name, attempt in self.attempts.items() if name not in unbegun}

    def _drop_unaffordable(self) -> None:
        """Drop networks that there is no time for."""
        if self.end is None:
            return
        processes = self._processes(len(self.members))
        # One at least, if there is nothing else.
        affordable = max(0 if self.others else 1, int(processes * (self.end - time.monotonic()) / 60 / MIN_MINUTES))
        self.untried += [member.label for member in self.members[affordable:]]
        self.members = self.members[:affordable]

    def _train(self, folds: range, share: float = 1.0, start: int = 0, *, ahead: bool = False) -> None:
        """Train every network without some folds, within a share of the time left.

        Args:
            folds: to leave out, where that was not done.
            share: of the time left.
            start: number of the start.
            ahead: a process that has no network left trains the best so far without the next fold, if that comes to
                its end.
        """
        wanted = [
            (k, member) for k in folds for member in self.members if k not in self.attempts[member.label].folds(start)
        ]
        if not wanted:
            return
        processes = processes_for(self.training, len(wanted))
        rounds = math.ceil(len(wanted) / processes)
        minutes = None
        if self.end is not None:
            minutes = max(MIN_TRAINING_MINUTES, share * (self.end - time.monotonic()) / 60 / rounds)

        def job(member: TrainedMember, k: int) -> FoldJob:
            """A training, with its share of the time and a bar where it is alone."""
            own = self._job(member, k, start)
            settings = own.settings if minutes is None else replace(own.settings, max_minutes=minutes)
            return replace(own, settings=replace(settings, progress_bar=settings.progress_bar and processes == 1))

        idle = rounds * processes - len(wanted) if ahead else 0
        further = iter(range(folds.stop, min(folds.stop + idle, len(self.training.folds.parts))))

        def another() -> FoldJob | None:
            """The best network so far without the next fold, where that keeps a process from waiting."""
            best = self._best_so_far()
            # Cut short, it would take more from the mean of all folds than it brings.
            if best is None or (minutes is not None and self._whole[best.label] > 60 * minutes):
                return None
            k = next(further, None)
            return None if k is None else job(best, k)

        for outcome in run_jobs(self.training, [job(member, k) for k, member in wanted], processes, another):
            # A second start that was cut short would spoil the mean with what the first one gave.
            if outcome.begun and not (start and self._is_asked_to_end):
                self._take(outcome)

    def _take(self, outcome: FoldOutcome) -> None:
        """Keep what a training gave."""
        name, fold, start, result = outcome.job.name, outcome.job.fold, outcome.job.start, outcome.result
        attempt, parts = self.attempts[name], self.training.folds.parts
        for metrics, epoch in outcome.metrics:
            self.training.on_epoch(metrics, epoch)
        if result is None:
            log.warning("%s without fold %d of %d: the training diverged", name, fold + 1, len(parts))
            # What an earlier start gave stays.
            attempt.diverged |= start == 0
            return
        attempt.add(network_of(self.training, outcome.job.model, outcome.weights).network, fold, start)
        attempt.judge(parts[fold], outcome.rows, start)
        attempt.seconds += result.seconds
        self.epochs = max(self.epochs, result.epochs)
        self.longest = max(self.longest, result.seconds)
        self._whole[name] = whole_seconds(result, outcome.job.settings)
        log.info(
            "%s without fold %d of %d: val_nADE %.4g after %d epochs, %.0f s",
            name, fold + 1, len(parts), result.least.get("val_nADE", math.nan), result.epochs, result.seconds,
        )  # fmt: skip

    def _best_so_far(self) -> TrainedMember | None:
        """The network that mixes best with the other members, of those that were trained without the first fold."""
        errors = {}
        for i, member in enumerate(self.members):
            attempt = self.attempts[member.label]
            if attempt.rows and attempt.is_finite:
                errors[i] = mixture_error(self.training, [*self.others, attempt])
        return self.members[min(errors, key=errors.__getitem__)] if errors else None

    def _job(self, member: TrainedMember, k: int, start: int) -> FoldJob:
        """The training without fold k; from the second start on with other weights where they have no closed form."""
        seed = member_seed(member.settings.seed, start)
        if start:
            seed_run(seed + k)
            drawn = self.training.single(Member(member.label, member.model)).network.named_parameters()
            fitted = self.attempts[member.label].network(k).state_dict()
            weights: dict[str, Tensor] | None = fitted | {name: values.detach() for name, values in drawn}
        else:
            weights = self.forms.known_start(member.model, k)
        # Without any closed form, one network has to be trained.
        optional = bool(self.others or k or start) or member is not self.members[0]
        settings = replace(member.settings, seed=seed)
        return FoldJob(member.label, member.model, settings, k, start, weights, optional)


def whole_seconds(fit: FitResult, settings: SettingsConfig) -> float:
    """Seconds that a training takes to the end of its recipe, of one that a time limit may have cut short."""
    if settings.max_minutes is None or fit.seconds < CUT_SHARE * 60 * settings.max_minutes:
        return fit.seconds
    return fit.seconds * settings.epochs / max(1, fit.epochs)
