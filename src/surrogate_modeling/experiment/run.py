"""One run, top to bottom: split, windows, surrogate, fit, free run, scores, report, record."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.cores import numpy_on_one_core
from surrogate_modeling.common.memory import give_back_freed_memory
from surrogate_modeling.common.paths import MODEL_FILE
from surrogate_modeling.common.run_log import warnings_counted
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import RefrigerantConfig
from surrogate_modeling.config.debug import shorten
from surrogate_modeling.config.models import AutoConfig
from surrogate_modeling.deployment.loading import load_surrogate
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis, analyse, worst_table
from surrogate_modeling.evaluation.forgotten_controls import forgotten_controls
from surrogate_modeling.evaluation.report import ReportOptions, ScoredCases, write_errors, write_report
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.evaluation.tables import group_table, summary_table
from surrogate_modeling.experiment.assignment import Assignment
from surrogate_modeling.experiment.bands import report_coverage
from surrogate_modeling.experiment.baseline_runs import Prediction, baseline_predictions
from surrogate_modeling.experiment.device_choice import on_cpu_if_small
from surrogate_modeling.experiment.fitting import Experiment, train
from surrogate_modeling.experiment.objectives import ObjectiveInputs, evaluate_objectives
from surrogate_modeling.experiment.origin import note_origin
from surrogate_modeling.experiment.page import PredictedCases, write_run_page
from surrogate_modeling.experiment.recording import device_name, git_commit, open_run, recorded
from surrogate_modeling.experiment.result import Evaluation, RunResult
from surrogate_modeling.experiment.split_and_folds import as_learnt, dataset_of, split_of, units_to_learn
from surrogate_modeling.surrogate.band import LEVEL
from surrogate_modeling.surrogate.device import choose_device
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import MLFLOW_MODEL
from surrogate_modeling.tracking.serving import save_mlflow_model
from surrogate_modeling.training.finishing import add_units_and_band
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.setup import make_surrogate, with_given_starts
from surrogate_modeling.training.warm_start import WarmStart

log = logging.getLogger(__name__)


def run_experiment(config: Config, case_set: CaseSet, folder: Path, assignment: Assignment | None = None) -> RunResult:
    """Run one experiment: train, test, report, and record.

    Args:
        config: checked.
        case_set: as read by :func:`surrogate_modeling.experiment.dataset.load_cases`.
        folder: of this run, exists.
        assignment: options from a search or a comparison; None for a plain run.

    Returns:
        The objective's values (for a plain run the best validation loss), and the scores with their costs.

    Raises:
        UserError: the split leaves nothing to train on, before a run is recorded; or training diverged.
    """
    with warnings_counted(), numpy_on_one_core():
        return _run(shorten(config), case_set, folder, assignment or Assignment())


def _run(config: Config, case_set: CaseSet, folder: Path, assignment: Assignment) -> RunResult:
    seed_run(config.settings.seed)
    choose_device(config.settings)  # refused now, before anything is made
    config = replace(config, dataset=dataset_of(config, case_set))
    split = split_of(config, case_set)
    log.info(
        "%s on a step of %g s: %d to train, %d to validate, %d to test",
        counted(len(case_set.cases), "case"), case_set.step,
        len(split.training), len(split.validation), len(split.test),
    )  # fmt: skip
    log.info("%s", case_set.channels.roles_text())
    warm = _warm_start(config)
    learnt, units = as_learnt(config, split), units_to_learn(config, split)
    surrogate = make_surrogate(config, case_set, learnt, warm, units, measure=split.training)
    if not isinstance(config.model, AutoConfig):
        weights = surrogate.network.parameter_count
        config = replace(config, settings=on_cpu_if_small(config.settings, split.training, weights))
    as_given = with_given_starts(surrogate, split)
    tags = {
        "git_commit": git_commit(),
        "dataset_fingerprint": case_set.fingerprint,
        "device": device_name(choose_device(config.settings).type),
        "debug": str(config.settings.is_debug),
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        **assignment.tags,
    }
    name = assignment.name or run_name(config, folder)
    files, excesses = len(case_set.cases), case_set.excesses
    experiment = Experiment(config, split, as_given, surrogate, assignment, name, tags, files, warm, excesses)
    with recorded(open_run(config, folder, name, tags)) as run:
        return _train_and_test(experiment, run)


def _warm_start(config: Config) -> WarmStart | None:
    """The surrogate that the training begins with, if one is named.

    Raises:
        UserError: it cannot be read, or has no network of the kind.
    """
    name = config.settings.init_from
    return None if name is None else WarmStart.of(name, load_surrogate(name, key="settings.init_from"), config.model)


def _train_and_test(experiment: Experiment, run: Run) -> RunResult:
    settings, split, surrogate = experiment.config.settings, experiment.split, experiment.surrogate
    trained = train(experiment, run)
    give_back_freed_memory()
    judged = trained.left_out or LeftOut(split.validation, [], [])
    inputs = ObjectiveInputs(surrogate, judged.cases, trained.fit.least, judged.rows)
    objective = evaluate_objectives(experiment.assignment.objective, inputs)
    add_units_and_band(surrogate, split, trained.left_out, experiment.config.dataset.unit_effects)
    prediction, spreads = predict_test(surrogate, split, trained.seconds)
    network = evaluate(surrogate, split, prediction)
    baselines = {
        name: evaluate(surrogate, split, predict())
        for name, predict in baseline_predictions(surrogate, experiment.given, trained.regressions).items()
    }
    give_back_freed_memory()
    result = RunResult(objective, network, baselines, trained.fit.epochs, trained.weights, surrogate)
    record_scores(run, result, surrogate.description.step)
    run.log_metrics({"best_val_loss": trained.fit.val_loss})
    if experiment.assignment.trial is not None:
        run.log_metrics({f"objective/{name}": value for name, value in objective.items()})
    if diverged := network.scores.diverged:
        log.warning(
            "the free run diverged in %d of %d test cases: %s", len(diverged), len(split.test), ", ".join(diverged)
        )
    note_origin(experiment, trained.seconds)
    if settings.is_save_model:
        _save(experiment, run)
    scored = _scored(surrogate, split, network.scores, prediction.rows, spreads)
    analysis, coverage = _report(experiment, run, scored, result), None
    if spreads is not None:
        runs = list(zip(prediction.rows, spreads, strict=True))
        coverage = report_coverage(run, surrogate, split.test, runs, network.scores)
    _warn_of_forgotten_controls(experiment, result)
    write_run_page(experiment, run.folder, PredictedCases(scored, spreads, analysis, coverage), result)
    return result


def _warn_of_forgotten_controls(experiment: Experiment, result: RunResult) -> None:
    """Warn of predicted columns that are probably controls; those of the embedded simulator are known."""
    if isinstance(experiment.config.dataset, RefrigerantConfig):
        return
    surrogate, test = experiment.surrogate, experiment.split.test
    mean = surrogate.scaling.level[surrogate.description.sizes.controls :].cpu().numpy()
    regressions = [result.baselines[name].scores for name in ("linear", "quadratic")]
    # A diverged case decides the scale of its columns: no regression is better than the mean there.
    led_astray = {column for excess in experiment.excesses for column in excess.columns}
    if names := [name for name in forgotten_controls(test, mean, regressions) if name not in led_astray]:
        log.warning(
            "%s: no regression predicts it better than its mean, and it moves in steps or ramps as inputs do. Is it a "
            "control? Then name it in dataset.controls: what depends on it cannot be predicted without it",
            ", ".join(map(repr, names)),
        )


def _save(experiment: Experiment, run: Run) -> None:
    """Save the surrogate and MLflow's model, and register the latter if ``settings.register_model`` is set."""
    settings, surrogate = experiment.config.settings, experiment.surrogate
    surrogate.save(run.folder / MODEL_FILE)
    save_mlflow_model(surrogate, run.folder / MODEL_FILE, run.folder / MLFLOW_MODEL, experiment.split.test[0])
    if settings.register_model:
        run.register_model(settings.register_model)


def _report(experiment: Experiment, run: Run, test: ScoredCases, result: RunResult) -> ErrorAnalysis:
    """Write the files of the run folder, and log the tables of scores; returns the analysis of the errors."""
    settings, split = experiment.config.settings, experiment.split
    scores = test.scores
    options = ReportOptions(settings.workers, settings.num_figures, settings.progress_bar, str(settings.figure_format))
    write_report(run.folder, test, options)
    analysis = analyse(split.test, test.rows, scores, test.positions or [])
    write_errors(run.folder, analysis)
    log.info("worst test cases:\n%s", worst_table(analysis))
    baselines = {name: other.scores for name, other in result.baselines.items()}
    log.info("free run over %d test cases:\n%s", len(split.test), summary_table(scores, baselines))
    if groups := scores.groups({case.name: case.unit for case in split.test if case.unit is not None}):
        run.log_metrics({f"nADE/{name}": nade for name, (nade, _, _) in groups.items()})
        log.info("by group of test cases:\n%s", group_table(groups))
    return analysis


def _scored(
    surrogate: Surrogate, split: CaseSplit, scores: Scores, rows: list[np.ndarray], spreads: list[np.ndarray] | None
) -> ScoredCases:
    """The test cases with what is reported of each: prediction, scores, band of rows, distance from the training."""
    half_widths, level = None, LEVEL
    if surrogate.band is not None and spreads is not None:
        half_widths, level = surrogate.band.half_widths(spreads), surrogate.band.level
    positions = [surrogate.position(case) for case in split.test]
    return ScoredCases(split.test, rows, scores, half_widths, level, positions)


def predict_test(
    surrogate: Surrogate, split: CaseSplit, fit_seconds: float
) -> tuple[Prediction, list[np.ndarray] | None]:
    """Predict the test cases in free run, with the members' spread if the surrogate has a band."""
    # The first call of a process compiles code: a few rows first, so that only the prediction is timed.
    first, few = split.test[0], surrogate.description.in_len + 2
    surrogate.predict([replace(first, time=first.time[:few], values=first.values[:few])])
    started = time.perf_counter()
    spreads = None
    if surrogate.band is None:
        rows = surrogate.predict(split.test)
    else:
        rows, spreads = surrogate.predict_spread(split.test)
    return Prediction(rows, fit_seconds, time.perf_counter() - started, surrogate.network.parameter_count), spreads


def evaluate(surrogate: Surrogate, split: CaseSplit, prediction: Prediction) -> Evaluation:
    """Score a prediction of the test cases, and add its cost."""
    scores = score(split.test, prediction.rows, surrogate.description.channels, surrogate.predicted_scale)
    per_case = prediction.seconds / len(prediction.rows)
    rate = sum(len(rows) for rows in prediction.rows) / max(prediction.seconds, 1e-9)
    return Evaluation(scores, prediction.fit_seconds, per_case, prediction.parameters, rate)


def record_scores(run: Run, result: RunResult, step: float) -> None:
    """Log the aggregates over the test cases, and the costs; ``step`` of the time grid [s]."""
    network = result.network
    run.log_metrics(
        {
            **network.scores.aggregates(),
            **{f"nADE_{name}": other.scores.nade for name, other in result.baselines.items()},
            **{f"nFDE_{name}": other.scores.nfde for name, other in result.baselines.items()},
            "parameters": network.parameters,
            "training_seconds": network.fit_seconds,
            "prediction_seconds_per_case": network.seconds_per_case,
            "real_time_factor": network.rows_per_second * step,
        }
    )


def run_name(config: Config, folder: Path, recipe: str | None = None) -> str:
    """Name of a run: network, recipe, folder of the cases, and the run's own folder.

    Args:
        config: of the run.
        folder: of the run.
        recipe: file in ``hydra/settings/``; None if unknown.
    """
    parts = (config.model.name, recipe, Path(config.dataset.path).name, folder.name, folder.parent.name)
    return " ".join(part for part in parts if part)
