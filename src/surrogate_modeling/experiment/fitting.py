"""Training of a run: one network, or a portfolio over folds, and the baselines beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from surrogate_modeling.cases.excess import Excess
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common import early_end
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.evaluation.portfolio_report import write_portfolio
from surrogate_modeling.experiment.assignment import Assignment
from surrogate_modeling.experiment.baseline_runs import FittedBaseline, fit_baselines
from surrogate_modeling.experiment.split_and_folds import folds_of, portfolio_models
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.folds import Folds, FoldTraining
from surrogate_modeling.training.members import fit_members
from surrogate_modeling.training.portfolio import LeftOut, fit_portfolio
from surrogate_modeling.training.setup import make_windows
from surrogate_modeling.training.stacking import stack
from surrogate_modeling.training.warm_start import WarmStart

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """The inputs of one run.

    Attributes:
        config: checked.
        split: the cases.
        given: the same as the surrogate may see them, from which it and the baselines start.
        surrogate: to train.
        assignment: options from a search or a comparison.
        name: of the run.
        tags: of its record.
        files: number of files that the cases were read from.
        warm: surrogate that the training begins with; None for fresh weights.
        excesses: cases that reach far beyond all others.
    """

    config: Config
    split: CaseSplit
    given: CaseSplit
    surrogate: Surrogate
    assignment: Assignment
    name: str
    tags: dict[str, str]
    files: int
    warm: WarmStart | None = None
    excesses: Sequence[Excess] = ()


@dataclass(frozen=True)
class TrainingResult:
    """Fit of the network, fitted baselines, and the seconds of all fits that the prediction uses.

    With folds, ``left_out`` are free runs over the cases by networks that had not seen them, and ``weights`` the mean
    weight of each member in the targets.
    """

    fit: FitResult
    regressions: dict[str, FittedBaseline]
    seconds: float
    left_out: LeftOut | None = None
    weights: dict[str, float] = field(default_factory=dict)


def train(experiment: Experiment, run: Run) -> TrainingResult:
    """Fit the network in place, and the baselines; with ``settings.stack`` combine them.

    Training may be asked to end; what asked is recorded as the tag ``ended_early``.
    """
    with early_end.ended_when_asked(run.folder, by_interrupt=experiment.assignment.keeps_on_interrupt):
        trained = _train(experiment, run)
        if (who := early_end.asked_by(run.folder)) is not None:
            log.warning("training ended early, as %s asked: what there is goes on to test, report and file", who)
            run.set_tags({"ended_early": who})
    return trained


def _train(experiment: Experiment, run: Run) -> TrainingResult:
    config, given, surrogate = experiment.config, experiment.given, experiment.surrogate
    settings, on_epoch = config.settings, experiment.assignment.on_epoch

    def log_epoch(metrics: dict[str, float], epoch: int) -> None:
        """Log the metrics to the record, and report them to the search."""
        run.log_metrics(metrics, epoch)
        if on_epoch:
            on_epoch(metrics, epoch)

    folds = folds_of(config, given)
    if folds is not None:
        return _train_folds(experiment, folds, run, log_epoch)
    windows = make_windows(config, surrogate, given)
    folder = run.folder / early_end.CHECKPOINTS
    fitted = fit_members(surrogate, windows, given.validation, folder, log_epoch, experiment.warm)
    if fitted.epochs < settings.epochs and not early_end.is_asked(run.folder):
        log.info("stopped after %s: %s", counted(fitted.epochs, "epoch"), why_stopped(settings, fitted))
    regressions = fit_baselines(surrogate, given, settings.progress_bar)
    if not settings.stack:
        return TrainingResult(fitted, regressions, fitted.seconds)
    quadratic = regressions["quadratic"]
    shares = stack(surrogate, quadratic.baseline, given.validation)
    run.log_metrics({f"{name}/network_share": share for name, share in shares.items()})
    return TrainingResult(fitted, regressions, fitted.seconds + quadratic.seconds)


def _train_folds(experiment: Experiment, folds: Folds, run: Run, on_epoch: OnEpoch) -> TrainingResult:
    """Fit the network, or the portfolio, without each fold in turn, and mix what came of it."""
    config, given, surrogate = experiment.config, experiment.given, experiment.surrogate
    without_validation = replace(given, training=folds.cases) if not given.validation else given
    choosing = None if given.validation else folds
    regressions = fit_baselines(surrogate, without_validation, config.settings.progress_bar, choosing)
    training = FoldTraining(config, surrogate, folds, run.folder / early_end.CHECKPOINTS, on_epoch, experiment.warm)
    fitted = {name: regression.baseline for name, regression in regressions.items()}
    result = fit_portfolio(training, portfolio_models(config), fitted)
    channels = surrogate.description.channels
    weights = result.table.mean_weights(channels.target_indices)
    run.log_metrics({f"weight/{name}": weight for name, weight in weights.items()})
    write_portfolio(run.folder, result.table, channels)
    seconds = result.fit.seconds + regressions["quadratic"].seconds
    return TrainingResult(result.fit, regressions, seconds, result.left_out, weights)


def why_stopped(settings: SettingsConfig, fitted: FitResult) -> str:
    """Text of the reason why training ended before its last epoch."""
    if fitted.timed_out:
        return f"settings.max_minutes={settings.max_minutes:g} were over"
    return f"{settings.monitor.value} did not fall in {settings.patience} measurements"
