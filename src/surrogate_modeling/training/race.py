"""Models that take long, fitted without one fold after another; those that help nowhere leave after the first.

A model that the others do without on the first fold would take time from those that they need (successive halving,
Jamieson and Talwalkar 2016, with one cut).

Shape letters: M members, R rows of all cases, P predicted columns.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common import early_end
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.training.attempts import Attempt, ClosedForms
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.fold_pool import FoldJob, network_of, processes_for, run_jobs
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.members import member_seed
from surrogate_modeling.training.mixing import Residuals, least_error_weights

log = logging.getLogger(__name__)
# A training that gets less is not worth its place.
MIN_MINUTES = 0.5
# A model is fitted on where some column gives it this weight on the first fold, or its error is this many times the
# least or less: weights of few cases follow chance.
USEFUL_WEIGHT, CLOSE = 0.1, 1.2
# More would make predictions slow for little: each start is a network per fold.
MAX_STARTS = 3
# Of the time left, what a closed form may take.
MAX_SHARE = 0.5


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
        self.epochs, self.longest = 0, 0.0

    def run(self, closed_forms: Sequence[str] = ()) -> None:
        """Fit every model without the first fold, and those that help without the others.

        When training is asked to end, those that run end after their epoch, and no other is begun.

        Args:
            closed_forms: names of those that take long.
        """
        folds = self._affordable_folds()
        self.members = [replace(member, model=self.training.structured(member.model)) for member in self.members]
        self.attempts = {member.label: Attempt(member.label, member.model) for member in self.members}
        if self.members:
            self._train(range(1), to_come=(folds - 1) * self._kinds)
            self._drop_unbegun()
        looks = [] if self._is_over() else [self.forms.first_look(name) for name in closed_forms]
        self.untried += [name for name in closed_forms if name not in {look.name for look in looks}]
        helping = self._helping(looks)
        helping -= self._beaten()
        self.members = [member for member in self.members if member.label in helping]
        self.attempts = {name: attempt for name, attempt in self.attempts.items() if name in helping}
        for look in looks:
            if look.name in helping:
                self._fit_whole(look)
        if folds > 1 and self.members and not self._is_asked_to_end:
            self._train(range(1, folds), to_come=0)
        for start in range(1, MAX_STARTS):
            if self.members and self._has_time_for(folds * len(self.members)):
                log.info("there is time left: every network is trained again from other weights, and their mean taken")
                self._train(range(folds), to_come=0, start=start)

    def _has_time_for(self, trainings: int) -> bool:
        """Whether so many more may be as long as those that were."""
        if self._is_asked_to_end or self.end is None or any(attempt.diverged for attempt in self.attempts.values()):
            return False
        rounds = math.ceil(trainings / processes_for(self.training, trainings))
        return time.monotonic() + rounds * self.longest < self.end

    @property
    def _kinds(self) -> int:
        """How many networks go beyond the first fold at most."""
        return len({member.model.name for member in self.members})

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

    def _affordable_folds(self) -> int:
        """How many folds there is time for; drops networks that there is none for."""
        count = len(self.training.folds.parts)
        if self.end is None or not self.members:
            return count
        processes = processes_for(self.training, len(self.members) * count)
        affordable = int(processes * (self.end - time.monotonic()) / 60 / MIN_MINUTES)
        self.untried = [member.label for member in self.members[max(0, affordable) :]]
        self.members = self.members[: max(0, affordable)]
        folds = min(count, 1 + max(0, affordable - len(self.members)) // max(1, self._kinds))
        if self.members and folds < count:
            log.warning(
                "settings.max_minutes: there is time to leave out %d of %d folds; the weights follow from these", folds,
                count,
            )  # fmt: skip
        return folds

    def _train(self, folds: range, to_come: int, start: int = 0) -> None:
        jobs = [self._job(member, k, start) for k in folds for member in self.members]
        processes = processes_for(self.training, len(jobs))
        if processes > 1:
            jobs = [replace(job, settings=replace(job.settings, progress_bar=False)) for job in jobs]
        if self.end is not None:
            rounds = math.ceil((len(jobs) + to_come) / processes)
            minutes = max(MIN_MINUTES / 10, (self.end - time.monotonic()) / 60 / rounds)
            jobs = [replace(job, settings=replace(job.settings, max_minutes=minutes)) for job in jobs]
        for outcome in run_jobs(self.training, jobs, processes):
            name, count, start = outcome.job.name, len(self.training.folds.parts), outcome.job.start
            attempt = self.attempts[name]
            # A second start that was cut short would spoil the mean with what the first one gave.
            if not outcome.begun or (start and self._is_asked_to_end):
                continue
            for metrics, epoch in outcome.metrics:
                self.training.on_epoch(metrics, epoch)
            if outcome.result is None:
                log.warning("%s without fold %d of %d: the training diverged", name, outcome.job.fold + 1, count)
                # What an earlier start gave stays.
                attempt.diverged |= start == 0
                continue
            attempt.add(network_of(self.training, outcome.job.model, outcome.weights).network, outcome.job.fold, start)
            attempt.judge(self.training.folds.parts[outcome.job.fold], outcome.rows, start)
            attempt.seconds += outcome.result.seconds
            self.epochs = max(self.epochs, outcome.result.epochs)
            self.longest = max(self.longest, outcome.result.seconds)
            log.info(
                "%s without fold %d of %d: val_nADE %.4g after %d epochs, %.0f s", name, outcome.job.fold + 1, count,
                outcome.result.least.get("val_nADE", math.nan), outcome.result.epochs, outcome.result.seconds,
            )  # fmt: skip

    def _job(self, member: TrainedMember, k: int, start: int) -> FoldJob:
        """The training without fold k; from the second start on with other weights where they have no closed form."""
        weights = self.forms.start(member.model, k).network.state_dict()
        seed = member_seed(member.settings.seed, start)
        if start:
            seed_run(seed + k)
            drawn = self.training.single(Member(member.label, member.model)).network.named_parameters()
            weights |= {name: parameter.detach() for name, parameter in drawn}
        # Without any closed form, one network has to be trained.
        optional = bool(self.others or k or start) or member is not self.members[0]
        settings = replace(member.settings, seed=seed)
        return FoldJob(member.label, member.model, settings, k, start, weights, optional)

    def _fit_whole(self, look: Attempt) -> None:
        """Fit a closed form without every fold and on all cases, unless the networks would lack the time."""
        seconds = look.seconds * (1 + len(self.training.folds.parts))
        if self._is_asked_to_end:
            self.untried.append(look.name)
            return
        if self.end is not None and seconds > MAX_SHARE * (self.end - time.monotonic()):
            self.untried.append(look.name)
            return
        self.others.append(self.forms.fit(look.name))
        log.info("%s: %.0f s", look.name, self.others[-1].seconds)

    def _beaten(self) -> set[str]:
        """Names of networks that another of their kind is better than on the first fold."""
        beaten = set[str]()
        for kind in {member.model.name for member in self.members}:
            own = [self.attempts[member.label] for member in self.members if member.model.name == kind]
            finite = [attempt for attempt in own if attempt.is_finite]
            if len(finite) > 1:
                _, residuals = left_out_residuals(self.training, finite)
                errors = residuals.errors[:, self.training.surrogate.description.channels.target_indices].mean(axis=1)
                best = finite[int(errors.argmin())].name
                log.info("of %s, %s is the best on the first fold", ", ".join(a.name for a in finite), best)
                beaten |= {attempt.name for attempt in finite if attempt.name != best}
        return beaten

    def _helping(self, looks: Sequence[Attempt]) -> set[str]:
        """Names of the networks, and of the closed forms looked at, that a mixture on the first fold makes use of."""
        own = [attempt for attempt in (*self.attempts.values(), *looks) if attempt.is_finite]
        everyone = [*(attempt for attempt in self.others if attempt.is_finite), *own]
        helping = {attempt.name for attempt in own}
        if own and len(everyone) > 1:
            _, residuals = left_out_residuals(self.training, everyone)
            weight, errors = least_error_weights(residuals), residuals.errors.mean(axis=1)
            for attempt, of_columns, error in zip(everyone, weight, errors, strict=True):
                if attempt in own and of_columns.max() < USEFUL_WEIGHT and error > CLOSE * errors.min():
                    helping.discard(attempt.name)
                    log.info("%s helps in no column on the first fold: its time goes to the others", attempt.name)
        return helping


def left_out_residuals(training: FoldTraining, attempts: Sequence[Attempt]) -> tuple[list[Case], Residuals]:
    """The cases that every attempt was judged on, and the residuals of these free runs."""
    known = set.intersection(*(set(attempt.rows) for attempt in attempts))
    fold_of = {case.name: k for k, part in enumerate(training.folds.parts) for case in part}
    cases = [case for case in training.folds.left_out if case.name in known]
    rows = [[attempt.rows[case.name] for case in cases] for attempt in attempts]
    truth = [case.truth(len(own)) for case, own in zip(cases, rows[0], strict=True)]
    scale = training.surrogate.predicted_scale
    return cases, Residuals.of(rows, truth, [fold_of[case.name] for case in cases], scale)
