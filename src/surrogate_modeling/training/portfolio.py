"""A portfolio: several models fitted without each fold in turn, and mixed by their free runs over the cases left out.

Models in closed form come first; what is left of the time is shared by the networks. In the end the closed forms are
fitted on all cases, the networks of all folds become one member, and members without weight are dropped.

Shape letters: M members, H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.tables import aligned
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.attempts import Attempt, ClosedForms
from surrogate_modeling.training.baselines import Baseline
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.mixing import Residuals, learn_weights

log = logging.getLogger(__name__)
# A network that gets less is not worth its place.
MIN_MINUTES = 0.5


@dataclass(frozen=True)
class TrainedMember:
    """A network to be trained: its sizes and its recipe."""

    model: ModelConfig
    settings: SettingsConfig


@dataclass(frozen=True)
class Plan:
    """What a portfolio tries.

    Attributes:
        closed_forms: names of models in closed form.
        networks: to be trained, in this order.
        minutes: for everything; None: each network as long as its recipe says.
    """

    closed_forms: list[str]
    networks: list[TrainedMember]
    minutes: float | None


@dataclass(frozen=True)
class LeftOut:
    """Free runs (H, P) over cases by models that were fitted without them, in physical units."""

    cases: list[Case]
    rows: list[np.ndarray]


@dataclass(frozen=True)
class PortfolioResult:
    """The fit as a whole, the mixture's free runs over cases left out, and the weight of each member (M, P)."""

    fit: FitResult
    left_out: LeftOut
    names: list[str]
    weight: np.ndarray


def fit_portfolio(training: FoldTraining, plan: Plan, baselines: dict[str, Baseline]) -> PortfolioResult:
    """Fit every member, learn the weights, and make the mixture the surrogate's network.

    Args:
        training: cases in folds, and the surrogate, which is changed in place.
        plan: what to try.
        baselines: linear and quadratic, whose features and penalty are kept.

    Raises:
        UserError: no member has a finite free run over the cases left out.
    """
    forms = ClosedForms(training, baselines, [member.model for member in plan.networks])
    attempts = [forms.fit(name) for name in plan.closed_forms]
    epochs, untried = 0, list[str]()
    if plan.networks:
        spent = sum(attempt.seconds for attempt in attempts)
        networks, epochs, untried = _fit_networks(training, plan, forms, spent)
        attempts += networks
    return _mixed(training, attempts, untried, epochs)


def _fit_networks(
    training: FoldTraining, plan: Plan, forms: ClosedForms, spent: float
) -> tuple[list[Attempt], int, list[str]]:
    """Train the networks, fold by fold, so that each fold is finished by all before the next begins.

    Returns:
        One attempt per network, the epochs of the longest fit, and the names of networks for which there was no time.
    """
    members, folds = plan.networks, len(training.folds.parts)
    if plan.minutes is not None:
        affordable = int((plan.minutes - spent / 60) / MIN_MINUTES)
        members, folds = members[:affordable], min(folds, affordable // max(1, len(members[:affordable])))
    untried = [member.model.name for member in plan.networks[len(members) :]]
    if folds < len(training.folds.parts) and members:
        log.warning(
            "settings.max_minutes=%g: only %d of %d folds are left out in turn by the networks; the weights follow "
            "from these", plan.minutes, folds, len(training.folds.parts),
        )  # fmt: skip
    members = [replace(member, model=training.structure(member.model, member.settings)) for member in members]
    attempts = [Attempt(member.model.name, member.model) for member in members]
    epochs, left = 0, folds * len(members)
    for k in range(folds):
        for member, attempt in zip(members, attempts, strict=True):
            settings = member.settings
            if plan.minutes is not None:
                minutes = max(MIN_MINUTES / 10, (plan.minutes - spent / 60) / left)
                settings = replace(settings, max_minutes=minutes)
            log.info("%s without fold %d of %d", member.model.name, k + 1, len(training.folds.parts))
            surrogate = forms.start(member.model, k)
            fitted = training.fit(surrogate, settings, k)
            attempt.add(surrogate, training.folds.parts[k])
            attempt.seconds += fitted.seconds
            spent, epochs, left = spent + fitted.seconds, max(epochs, fitted.epochs), left - 1
    return attempts, epochs, untried


def _mixed(training: FoldTraining, attempts: Sequence[Attempt], untried: Sequence[str], epochs: int) -> PortfolioResult:
    surrogate, folds = training.surrogate, training.folds
    sound = [attempt for attempt in attempts if attempt.is_finite]
    if not sound:
        raise UserError(f"every member's free run over cases left out diverged: {', '.join(a.name for a in attempts)}")
    for attempt in attempts:
        if not attempt.is_finite:
            log.warning("%s: its free run over some case left out diverged; it is not used", attempt.name)
    known = set.intersection(*(set(attempt.rows) for attempt in sound))
    fold_of = {case.name: k for k, part in enumerate(folds.parts) for case in part}
    cases = [case for case in folds.cases if case.name in known]
    rows = [[attempt.rows[case.name] for case in cases] for attempt in sound]
    truth = [case.truth(len(own)) for case, own in zip(cases, rows[0], strict=True)]
    residuals = Residuals.of(rows, truth, [fold_of[case.name] for case in cases], surrogate.predicted_scale)
    weight = learn_weights(residuals)
    mixed = [np.einsum("mhp,mp->hp", np.stack(own), weight) for own in zip(*rows, strict=True)]
    squares = float(np.mean(np.concatenate([((m - t) / surrogate.predicted_scale) ** 2
                                            for m, t in zip(mixed, truth, strict=True)])))  # fmt: skip
    nade = score(cases, mixed, surrogate.description.channels, surrogate.predicted_scale).nade
    _log_table(surrogate, sound, residuals, weight, nade)
    if untried:
        log.warning("settings.max_minutes: there was no time to try %s", ", ".join(untried))
    used = [i for i in range(len(sound)) if weight[i].any()]
    surrogate.mix([sound[i].result() for i in used], weight[used])
    seconds = sum(attempt.seconds for attempt in attempts)
    fit = FitResult({"val_loss": squares, "val_nADE": nade}, epochs, seconds)
    return PortfolioResult(fit, LeftOut(cases, mixed), [attempt.name for attempt in sound], weight)


def _log_table(
    surrogate: Surrogate, attempts: Sequence[Attempt], residuals: Residuals, weight: np.ndarray, nade: float
) -> None:
    """Log every member with its error over cases left out, its mean weight in the targets, and its seconds."""
    targets = surrogate.description.channels.target_indices
    errors = residuals.errors[:, targets].mean(axis=1)
    lines = [
        (attempt.name, f"{error:.4f}", f"{share:.2f}", f"{attempt.seconds:.0f}")
        for attempt, error, share in zip(attempts, errors, weight[:, targets].mean(axis=1), strict=True)
    ]
    total = sum(attempt.seconds for attempt in attempts)
    table = [("member", "nADE", "weight", "seconds"), *lines, ("mixture", f"{nade:.4f}", "", f"{total:.0f}")]
    log.info("cases left out in free run, and the mean weight of each member in the targets:\n%s", aligned(table, 1))
