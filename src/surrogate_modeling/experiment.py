"""One run, top to bottom: split, windows, surrogate, fit, free run, scores, report, record."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from surrogate_modeling.assignment import Assignment, Pruned
from surrogate_modeling.band_report import Coverage, coverage_table, write_coverage
from surrogate_modeling.baselines import LinearBaseline, persistence
from surrogate_modeling.cases import CaseSet
from surrogate_modeling.config import PROJECT_ROOT, Config, UserError
from surrogate_modeling.ensembles import add_band, fit_members
from surrogate_modeling.journal import recorded_tags
from surrogate_modeling.loading import MODEL_FILE
from surrogate_modeling.objectives import Measured, measure
from surrogate_modeling.report import group_table, summary_table, write_report
from surrogate_modeling.scores import Scores, score
from surrogate_modeling.serving import save_mlflow_model
from surrogate_modeling.surrogate import Description, Surrogate
from surrogate_modeling.tracking import MLFLOW_MODEL, Run
from surrogate_modeling.training import choose_device, seed_run
from surrogate_modeling.windows import CaseSplit, WindowData, WindowDataset, split_cases

log = logging.getLogger(__name__)
DEBUG_EPOCHS, DEBUG_FIGURES = 3, 24


@dataclass(frozen=True)
class Prediction:
    """Test cases in free run: (H, P) per case, and what it cost."""

    rows: list[np.ndarray]
    seconds: float


def run_experiment(
    config: Config, case_set: CaseSet, folder: Path, flat: dict[str, Any], assignment: Assignment | None = None
) -> dict[str, float]:
    """Train, test, record.

    Args:
        config: checked.
        case_set: as read by :func:`surrogate_modeling.dataset.load_cases`.
        folder: of this run, exists.
        flat: the configuration as ``group.key -> value``, for the record.
        assignment: what a search asks of the run; None for a plain run.

    Returns:
        What was asked for, by name; for a plain run the best validation loss.

    Raises:
        UserError: the split leaves nothing to train on, before a run is recorded; or training diverged.
    """
    assignment = assignment or Assignment()
    config = debug_size(config)
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
    with recorded(open_run(config, folder, tags, flat)) as run:
        return _train_and_test(config, case_set.groups, split, surrogate, run, flat, assignment)


def _train_and_test(
    config: Config,
    group_of: dict[str, str],
    split: CaseSplit,
    surrogate: Surrogate,
    run: Run,
    flat: dict[str, Any],
    assignment: Assignment,
) -> dict[str, float]:
    settings = config.settings
    windows = make_windows(config, surrogate, split)

    def watched(metrics: dict[str, float], epoch: int) -> None:
        run.log_metrics(metrics, epoch)
        if assignment.watch:
            assignment.watch(metrics, epoch)

    fitted = fit_members(surrogate, windows, split.validation, settings, run.folder / "checkpoints", watched)
    if fitted.epochs < settings.epochs:
        log.info(
            "stopped after %d epochs: %s was not better for %d epochs",
            fitted.epochs, settings.monitor.value, settings.patience,
        )  # fmt: skip
    objective = measure(assignment.objective, Measured(surrogate, split.validation, fitted.least))
    prediction = predict_test(surrogate, split)
    add_band(surrogate, split)

    def scored(rows: list[np.ndarray]) -> Scores:
        return score(split.test, rows, surrogate.description.channels, surrogate.predicted_scale)

    scores = scored(prediction.rows)
    baselines = {name: scored(rows) for name, rows in predict_baselines(surrogate, split).items()}
    record_scores(run, scores, baselines, prediction, split, surrogate.description.step)
    run.log_metrics({"best_val_loss": fitted.val_loss})
    if assignment.trial is not None:
        run.log_metrics({f"objective/{name}": value for name, value in objective.items()})
    if scores.diverged:
        log.warning(
            "the free run diverged in %d of %d test cases: %s",
            len(scores.diverged), len(split.test), ", ".join(scores.diverged),
        )  # fmt: skip
    if settings.is_save_model:
        surrogate.save(run.folder / MODEL_FILE, flat)
        save_mlflow_model(surrogate, run.folder / MODEL_FILE, run.folder / MLFLOW_MODEL, split.test[0])
        if settings.register_model:
            run.register_model(settings.register_model)
    bands = surrogate.predict_band(split.test) if surrogate.band else None
    write_report(
        run.folder, split.test, prediction.rows, scores, settings.workers, settings.num_figures, settings.progress_bar,
        bands,
    )  # fmt: skip
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
    return objective


def debug_size(config: Config) -> Config:
    """The configuration itself, or with is_debug one that is through in a minute."""
    settings = config.settings
    if not settings.is_debug:
        return config
    figures = DEBUG_FIGURES if settings.num_figures is None else min(DEBUG_FIGURES, settings.num_figures)
    log.warning("settings.is_debug: at most %d epochs and %d figures", DEBUG_EPOCHS, figures)
    return replace(config, settings=replace(settings, epochs=min(DEBUG_EPOCHS, settings.epochs), num_figures=figures))


def make_surrogate(config: Config, case_set: CaseSet, split: CaseSplit) -> Surrogate:
    """A fresh network with scaling fitted on the training cases; names the columns that are constant there."""
    settings = config.settings
    surrogate = Surrogate(
        Description(
            config.model,
            case_set.channels,
            settings.in_len,
            settings.out_len,
            case_set.step,
            settings.output,
            settings.feedback,
            settings.ensemble,
        )
    )
    constant = surrogate.scaling.fit(case.values for case in split.training)
    if constant:
        columns = (*case_set.channels.controls, *case_set.channels.predicted)
        log.warning("constant over the training cases, scaled by 1: %s", ", ".join(columns[i] for i in constant))
    return surrogate


def make_windows(config: Config, surrogate: Surrogate, split: CaseSplit) -> WindowData:
    """Training and validation windows in standardised units."""
    settings, controls = config.settings, surrogate.description.sizes.controls
    rows = settings.loss_rows
    training = WindowDataset(split.training, surrogate.scaling, settings.in_len, rows, controls)
    # Long windows that overlap by more than half tell the same thing again, each epoch.
    validation = WindowDataset(split.validation, surrogate.scaling, settings.in_len, rows, controls, max(1, rows // 2))
    return WindowData(training, validation, settings)


def predict_test(surrogate: Surrogate, split: CaseSplit) -> Prediction:
    """Free run over the test cases."""
    started = time.perf_counter()
    rows = surrogate.predict(split.test)
    return Prediction(rows, time.perf_counter() - started)


def predict_baselines(surrogate: Surrogate, split: CaseSplit) -> dict[str, list[np.ndarray]]:
    """The baselines, fitted on the same split, over the test cases."""
    description = surrogate.description
    controls = len(description.channels.controls)
    linear = LinearBaseline(surrogate.scaling, description.in_len, controls)
    linear.fit(split.training, split.validation, description.channels.target_indices)
    return {
        "persistence": persistence(split.test, description.in_len, controls),
        "linear": linear.predict(split.test),
    }


def record_scores(
    run: Run, scores: Scores, baselines: dict[str, Scores], prediction: Prediction, split: CaseSplit, step: float
) -> None:
    """Aggregates over the test cases, and how much faster than real time the prediction was."""
    simulated = sum(len(rows) for rows in prediction.rows) * step
    run.log_metrics(
        {
            **scores.aggregates(),
            **{f"nADE_{name}": other.nade for name, other in baselines.items()},
            **{f"nFDE_{name}": other.nfde for name, other in baselines.items()},
            "prediction_seconds_per_case": prediction.seconds / len(split.test),
            "real_time_factor": simulated / prediction.seconds,
        }
    )


def open_run(config: Config, folder: Path, tags: dict[str, str], flat: dict[str, Any]) -> Run:
    """A new run, or the one whose record the folder holds.

    Raises:
        UserError: that run was trained on other cases, or another process is at work on it.
    """
    before = recorded_tags(folder)
    if before is None:
        params = {key: str(value) for key, value in flat.items()}
        return Run.start(folder, config.settings.mlflow_exp_name, run_name(config, folder), tags, params)
    if before["dataset_fingerprint"] != tags["dataset_fingerprint"]:
        raise UserError(f"{folder}: this run was trained on other cases than are in {config.dataset.path} now")
    return Run.resume(folder)


@contextmanager
def recorded(run: Run) -> Iterator[Run]:
    """Let a run end FINISHED, FAILED with the error as a tag, or KILLED, with its files in any case."""
    status, folder = "FINISHED", run.folder
    try:
        with terminated_as_interrupt():
            yield run
    # Lightning turns Ctrl-C during fitting into SystemExit.
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise KeyboardInterrupt from None
    except Pruned as pruned:
        status = "KILLED"
        run.set_tags({"pruned": str(pruned)})
        raise
    except BaseException as error:
        status = "FAILED"
        run.set_tags({"error": f"{type(error).__name__}: {error}"[:5000]})
        if not isinstance(error, UserError):
            log.exception("the run failed")
        raise
    finally:
        place = run.finish(status)
        if place:
            log.info("%s; artifacts are in %s", status, place)
        else:
            log.warning(
                "%s, but the tracking store could not be reached; the run waits in %s. Send it with: pdm run send %s",
                status, folder, folder,
            )  # fmt: skip
        if status == "KILLED":
            log.info("go on with: pdm run train resume=%s", folder)


def run_name(config: Config, folder: Path) -> str:
    """Network, date and time."""
    return f"{config.model.name} {folder.parent.name} {folder.name}"


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """A scheduler's SIGTERM ends the run as Ctrl-C does, so that it is recorded."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, e.g. a trial of a search run by threads
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def git_commit() -> str:
    """Commit of the project, with ``-dirty`` when files differ from it; ``unknown`` outside a repository."""
    command = ["git", "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def device_name(kind: str) -> str:
    """``cpu``, or the GPU's name."""
    if kind == "cpu":
        return kind
    import torch

    return torch.cuda.get_device_name()
