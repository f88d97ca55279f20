"""A portfolio: several models fitted without each fold in turn, and mixed by their free runs over the cases left out.

Models in closed form come first, but for those that take long; what is left of the time is shared by these and the
networks. In the end the closed forms are fitted on all cases, the networks of all folds become one member, and members
without weight are dropped.

Shape letters: M members, H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common import early_end
from surrogate_modeling.common.errors import TrainingDiverged
from surrogate_modeling.common.tables import aligned
from surrogate_modeling.evaluation.portfolio_report import PortfolioTable
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.attempts import TAKE_LONG, Attempt, ClosedForms
from surrogate_modeling.training.baselines import Baseline
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.mixing import Residuals, learn_weights
from surrogate_modeling.training.race import Race, TrainedMember
from surrogate_modeling.training.selection import left_out_residuals

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PortfolioModels:
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
    """Free runs over cases by models that were fitted without them, in physical units.

    Attributes:
        cases: the cases.
        rows: (H, P) of each.
        spreads: (H, P) of each, the weighted spread of the models around them.
        records: the cases that these are blocks of; empty where they are whole.
    """

    cases: list[Case]
    rows: list[np.ndarray]
    spreads: list[np.ndarray]
    records: list[Case] = field(default_factory=list)


@dataclass(frozen=True)
class PortfolioResult:
    """The fit as a whole, the mixture's free runs over cases left out, and the members with their weights."""

    fit: FitResult
    left_out: LeftOut
    table: PortfolioTable


def fit_portfolio(training: FoldTraining, models: PortfolioModels, baselines: dict[str, Baseline]) -> PortfolioResult:
    """Fit every member, learn the weights, and make the mixture the surrogate's network.

    Args:
        training: cases in folds, and the surrogate, which is changed in place.
        models: what to try.
        baselines: linear and quadratic, whose features and penalty are kept.

    Raises:
        UserError: no member has a finite free run over the cases left out.
    """
    began = time.monotonic()
    forms = ClosedForms(training, baselines, [member.model for member in models.networks])
    end = None if models.minutes is None else began + 60 * models.minutes
    attempts, untried = list[Attempt](), list[str]()
    late = [name for name in models.closed_forms if name in TAKE_LONG]
    for name in models.closed_forms:
        if name in late:
            continue
        is_over = early_end.is_asked(training.folder) or (end is not None and time.monotonic() > end)
        if attempts and is_over:
            untried.append(name)
            continue
        attempts.append(forms.fit(name))
        log.info("%s: %.0f s", name, attempts[-1].seconds)
    race = Race(training, models.networks, forms, attempts, end)
    race.run(late)
    attempts = [*race.others, *race.attempts.values()]
    if not any(attempt.is_finite for attempt in attempts):
        names = ", ".join([*(attempt.name for attempt in attempts), *race.dropped])
        raise TrainingDiverged(
            f"the free run over cases left out diverged: {names}; a lower settings.lr, a shorter settings.horizon or "
            "settings.gradient_clip may help"
        )
    return _mixed(training, attempts, [*untried, *race.untried], race.epochs)


def _mixed(training: FoldTraining, attempts: Sequence[Attempt], untried: Sequence[str], epochs: int) -> PortfolioResult:
    surrogate = training.surrogate
    sound = [attempt for attempt in attempts if attempt.is_finite]
    for attempt in attempts:
        if not attempt.is_finite:
            log.warning("%s: its free run over some case left out diverged; it is not used", attempt.name)
    cases, residuals = left_out_residuals(training, sound)
    weight = learn_weights(residuals)
    used = [i for i in range(len(sound)) if weight[i].any()]
    left_out = _left_out(training, cases, [sound[i] for i in used], weight[used])
    nade = score(cases, left_out.rows, surrogate.description.channels, surrogate.predicted_scale).nade
    _log_table(surrogate, sound, residuals, weight, nade)
    if untried:
        why = "training was asked to end" if early_end.is_asked(training.folder) else "settings.max_minutes"
        log.warning("%s: there was no time to try %s", why, ", ".join(untried))
    surrogate.mix([sound[i].result() for i in used], weight[used])
    seconds = sum(attempt.seconds for attempt in attempts)
    fit = FitResult({"val_loss": _mean_square(surrogate, left_out), "val_nADE": nade}, epochs, seconds)
    table = PortfolioTable([attempt.name for attempt in sound], residuals.errors, weight)
    return PortfolioResult(fit, left_out, table)


def _left_out(
    training: FoldTraining, cases: Sequence[Case], attempts: Sequence[Attempt], weight: np.ndarray
) -> LeftOut:
    """The mixture with weights (M, P) over cases left out, one after another: that of all members takes much memory."""
    mixed, spreads = list[np.ndarray](), list[np.ndarray]()
    for case in cases:
        own = np.stack([attempt.rows[case.name] for attempt in attempts])
        rows = np.einsum("mhp,mp->hp", own, weight)
        spread = np.sqrt(np.einsum("mhp,mp->hp", (own - rows) ** 2, weight))
        mixed.append(rows.astype(np.float32))
        spreads.append(spread.astype(np.float32))
    return LeftOut(list(cases), mixed, spreads, training.folds.records)


def _mean_square(surrogate: Surrogate, left_out: LeftOut) -> float:
    """Mean square error over all rows and columns, in training standard deviations."""
    errors = [
        (rows - case.truth(len(rows))) / surrogate.predicted_scale
        for case, rows in zip(left_out.cases, left_out.rows, strict=True)
    ]
    return float(sum(np.square(each).sum() for each in errors) / sum(each.size for each in errors))


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
