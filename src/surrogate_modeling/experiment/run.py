"""One run, top to bottom: split, windows, surrogate, fit, free run, scores, report, record."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.cases.split import CaseSplit, split_cases
from surrogate_modeling.common.memory import give_back_freed_memory
from surrogate_modeling.common.paths import MODEL_FILE
from surrogate_modeling.common.run_log import warnings_counted
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.evaluation.coverage import Coverage, coverage_table, write_coverage
from surrogate_modeling.evaluation.error_analysis import analyse, worst_table
from surrogate_modeling.evaluation.report import write_errors, write_report
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.evaluation.tables import group_table, summary_table
from surrogate_modeling.experiment.assignment import Assignment
from surrogate_modeling.experiment.baseline_runs import FittedBaseline, Prediction, fit_baselines, predict_baselines
from surrogate_modeling.experiment.objectives import Measured, count_parameters, measure
from surrogate_modeling.experiment.recording import device_name, git_commit, open_run, recorded
from surrogate_modeling.surrogate.band import Banded
from surrogate_modeling.surrogate.device import choose_device
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.training_range import Range
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import MLFLOW_MODEL
from surrogate_modeling.tracking.serving import save_mlflow_model
from surrogate_modeling.training.calibration import add_band
from surrogate_modeling.training.checkpoints import Fitted
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.members import fit_members
from surrogate_modeling.training.setup import make_surrogate, make_windows
from surrogate_modeling.training.stacking import stack

log = logging.getLogger(__name__)
DEBUG_EPOCHS, DEBUG_FIGURES = 3, 24


@dataclass(frozen=True)
class Judged:
    """A network or a baseline on the test cases; seconds of prediction are those of one case."""

    scores: Scores
    fit_seconds: float
    seconds_per_case: float
    parameters: int


@dataclass(frozen=True)
class Trained:
    """The fit of the network, the baselines, and the seconds that all of it took which the prediction rests on."""

    fitted: Fitted
    regressions: dict[str, FittedBaseline]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came out of one run."""

    objective: dict[str, float]
    network: Judged
    baselines: dict[str, Judged]
    epochs: int


def run_experiment(
    config: Config, case_set: CaseSet, folder: Path, flat: dict[str, Any], assignment: Assignment | None = None
) -> Outcome:
    """Train, test, record.

    Args:
        config: checked.
        case_set: as read by :func:`surrogate_modeling.cases.dataset.load_cases`.
        folder: of this run, exists.
        flat: the configuration as ``group.key -> value``, for the record.
        assignment: what a search or a comparison asks of the run; None for a plain run.

    Returns:
        What was asked for, by name (for a plain run the best validation loss), and the scores with their costs.

    Raises:
        UserError: the split leaves nothing to train on, before a run is recorded; or training diverged.
    """
    with warnings_counted():
        return _run(debug_size(config), case_set, folder, flat, assignment or Assignment())


def _run(config: Config, case_set: CaseSet, folder: Path, flat: dict[str, Any], assignment: Assignment) -> Outcome:
    seed_run(config.settings.seed)
    device = choose_device(config.settings)
    split = split_cases(case_set.cases, config.dataset, config.settings.seed)
    log.info(
        "%d cases on a step of %g s: %d to train, %d to validate, %d to test",
        len(case_set.cases), case_set.step, len(split.training), len(split.validation), len(split.test),
    )  # fmt: skip
    surrogate = make_surrogate(config, case_set, split)
    tags = {
        "git_commit": git_commit(),
        "dataset_fingerprint": case_set.fingerprint,
        "device": device_name(device.type),
        "debug": str(config.settings.is_debug),
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        **assignment.tags,
    }
    name = assignment.name or run_name(config, folder)
    with recorded(open_run(config, folder, name, tags, flat)) as run:
        return _train_and_test(config, case_set.groups, split, surrogate, run, flat, assignment)


def _train_and_test(
    config: Config,
    group_of: dict[str, str],
    split: CaseSplit,
    surrogate: Surrogate,
    run: Run,
    flat: dict[str, Any],
    assignment: Assignment,
) -> Outcome:
    settings = config.settings
    trained = _train(config, split, surrogate, run, assignment)
    objective = measure(assignment.objective, Measured(surrogate, split.validation, trained.fitted.least))
    add_band(surrogate, split)
    prediction, bands = predict_test(surrogate, split, trained.seconds)
    network = judge(surrogate, split, prediction)
    baselines = {
        name: judge(surrogate, split, reference)
        for name, reference in predict_baselines(surrogate, split, trained.regressions)
    }
    give_back_freed_memory()
    record_scores(run, network, baselines, prediction, surrogate.description.step)
    run.log_metrics({"best_val_loss": trained.fitted.val_loss})
    if assignment.trial is not None:
        run.log_metrics({f"objective/{name}": value for name, value in objective.items()})
    if diverged := network.scores.diverged:
        log.warning(
            "the free run diverged in %d of %d test cases: %s", len(diverged), len(split.test), ", ".join(diverged)
        )
    if settings.is_save_model:
        _save(surrogate, run, flat, split.test[0], settings.register_model)
    scores = {name: other.scores for name, other in baselines.items()}
    _report(settings, group_of, split, surrogate, run, prediction, bands, network.scores, scores)
    return Outcome(objective, network, baselines, trained.fitted.epochs)


def _train(config: Config, split: CaseSplit, surrogate: Surrogate, run: Run, assignment: Assignment) -> Trained:
    """Fit the network in place, and the baselines; mix them where the settings ask for it."""
    settings = config.settings

    def watched(metrics: dict[str, float], epoch: int) -> None:
        """To the record, and to whoever asked for the run."""
        run.log_metrics(metrics, epoch)
        if assignment.watch:
            assignment.watch(metrics, epoch)

    windows = make_windows(config, surrogate, split)
    fitted = fit_members(surrogate, windows, split.validation, settings, run.folder / "checkpoints", watched)
    if fitted.epochs < settings.epochs:
        log.info("stopped after %d epochs: %s", fitted.epochs, why_stopped(settings, fitted))
    regressions = fit_baselines(surrogate, split)
    if not settings.stack:
        return Trained(fitted, regressions, fitted.seconds)
    quadratic = regressions["quadratic"]
    shares = stack(surrogate, quadratic.baseline, split.validation)
    run.log_metrics({f"{name}/network_share": share for name, share in shares.items()})
    return Trained(fitted, regressions, fitted.seconds + quadratic.seconds)


def _save(surrogate: Surrogate, run: Run, flat: dict[str, Any], example: Case, name: str | None) -> None:
    """The surrogate's file and MLflow's model, which gets a version in the registry if it is given a name."""
    surrogate.save(run.folder / MODEL_FILE, flat)
    save_mlflow_model(surrogate, run.folder / MODEL_FILE, run.folder / MLFLOW_MODEL, example)
    if name:
        run.register_model(name)


def _report(
    settings: SettingsConfig,
    group_of: dict[str, str],
    split: CaseSplit,
    surrogate: Surrogate,
    run: Run,
    prediction: Prediction,
    bands: list[Banded] | None,
    scores: Scores,
    baselines: dict[str, Scores],
) -> None:
    """Files of the run folder, and the tables of the log."""
    write_report(
        run.folder, split.test, prediction.rows, scores, settings.workers, settings.num_figures, settings.progress_bar,
        bands,
    )  # fmt: skip
    analysis = analyse(split.test, prediction.rows, scores, Range.of(scores.channels, surrogate.scaling))
    write_errors(run.folder, analysis)
    log.info("worst test cases:\n%s", worst_table(analysis))
    log.info("free run over %d test cases:\n%s", len(split.test), summary_table(scores, baselines))
    if bands:
        table = Coverage.of(split.test, bands, surrogate.description.channels)
        run.log_metrics(table.metrics())
        write_coverage(run.folder / "coverage.csv", table)
        log.info("90 %% band on the test cases (calibrated on %d validation cases):\n%s",
                 len(split.validation), coverage_table(table))  # fmt: skip
    if groups := scores.groups(group_of):
        run.log_metrics({f"nADE/{name}": nade for name, (nade, _, _) in groups.items()})
        log.info("by group of test cases:\n%s", group_table(groups))


def why_stopped(settings: SettingsConfig, fitted: Fitted) -> str:
    """Why training ended before its last epoch."""
    if settings.max_minutes is not None and fitted.seconds >= 60 * settings.max_minutes:
        return f"settings.max_minutes={settings.max_minutes:g} were over"
    return f"{settings.monitor.value} was not better for {settings.patience} epochs"


def debug_size(config: Config) -> Config:
    """The configuration itself, or with is_debug one that is through in a minute."""
    settings = config.settings
    if not settings.is_debug:
        return config
    figures = DEBUG_FIGURES if settings.num_figures is None else min(DEBUG_FIGURES, settings.num_figures)
    log.warning("settings.is_debug: at most %d epochs and %d figures", DEBUG_EPOCHS, figures)
    return replace(config, settings=replace(settings, epochs=min(DEBUG_EPOCHS, settings.epochs), num_figures=figures))


def predict_test(surrogate: Surrogate, split: CaseSplit, fit_seconds: float) -> tuple[Prediction, list[Banded] | None]:
    """Free run over the test cases, with the band where there is one."""
    started = time.perf_counter()
    rows, bands = surrogate.predict_with_band(split.test)
    return Prediction(rows, fit_seconds, time.perf_counter() - started, count_parameters(surrogate)), bands


def judge(surrogate: Surrogate, split: CaseSplit, prediction: Prediction) -> Judged:
    """Scores of a prediction of the test cases beside what it cost."""
    scores = score(split.test, prediction.rows, surrogate.description.channels, surrogate.predicted_scale)
    per_case = prediction.seconds / len(prediction.rows)
    return Judged(scores, prediction.fit_seconds, per_case, prediction.parameters)


def record_scores(run: Run, network: Judged, baselines: dict[str, Judged], prediction: Prediction, step: float) -> None:
    """Aggregates over the test cases, and how much faster than real time the prediction was."""
    simulated = sum(len(rows) for rows in prediction.rows) * step
    run.log_metrics(
        {
            **network.scores.aggregates(),
            **{f"nADE_{name}": other.scores.nade for name, other in baselines.items()},
            **{f"nFDE_{name}": other.scores.nfde for name, other in baselines.items()},
            "parameters": network.parameters,
            "training_seconds": network.fit_seconds,
            "prediction_seconds_per_case": network.seconds_per_case,
            "real_time_factor": simulated / prediction.seconds,
        }
    )


def run_name(config: Config, folder: Path) -> str:
    """Network, date and time."""
    return f"{config.model.name} {folder.parent.name} {folder.name}"
