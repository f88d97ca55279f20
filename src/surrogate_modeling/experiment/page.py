"""Write the report page of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.common.memory import peak_memory
from surrogate_modeling.common.run_log import warnings_counted
from surrogate_modeling.evaluation.coverage import Coverage
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis
from surrogate_modeling.evaluation.report import ScoredCases
from surrogate_modeling.experiment.fitting import Experiment
from surrogate_modeling.experiment.result import Evaluation, RunResult
from surrogate_modeling.reporting.content import Content, write_page_or_warning
from surrogate_modeling.reporting.run_report import RunFacts, run_content
from surrogate_modeling.reporting.training import Cost


@dataclass(frozen=True)
class PredictedCases:
    """The test cases as they were predicted.

    Attributes:
        scored: with their predictions and scores.
        spreads: of the members over each (H, P); None without a band.
        analysis: of the errors.
        coverage: of the band; None without one.
    """

    scored: ScoredCases
    spreads: Sequence[np.ndarray] | None
    analysis: ErrorAnalysis
    coverage: Coverage | None


def write_run_page(experiment: Experiment, folder: Path, test: PredictedCases, result: RunResult) -> None:
    """Write ``report.html`` into the run's folder; what fails there is a warning, because no result depends on it.

    Raises:
        NotWritten: the disk is full.
    """
    language = str(experiment.config.settings.language)
    write_page_or_warning(folder, lambda: run_content(folder, _facts(experiment, test, result)), language)


def _facts(experiment: Experiment, test: PredictedCases, result: RunResult) -> RunFacts:
    network, step = result.network, experiment.surrogate.description.step
    with warnings_counted() as warned:
        warnings = dict(warned.counts)
    return RunFacts(
        name=experiment.name,
        config=experiment.config,
        split=experiment.split,
        step=step,
        scored=test.scored,
        analysis=test.analysis,
        baselines={name: other.scores for name, other in result.baselines.items()},
        band=experiment.surrogate.band,
        spreads=test.spreads,
        coverage=test.coverage,
        cost=_cost(network, result.epochs, step, experiment.tags["device"]),
        baseline_costs={name: _baseline_cost(other) for name, other in result.baselines.items()},
        tags=experiment.tags,
        warnings=warnings,
    )


def _cost(network: Evaluation, epochs: int, step: float, device: str) -> Cost:
    import torch

    on_device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Cost(
        fit_seconds=network.fit_seconds,
        seconds_per_case=network.seconds_per_case,
        real_time=network.rows_per_second * step,
        parameters=network.parameters,
        epochs=epochs,
        memory_bytes=peak_memory(),
        device_memory_bytes=on_device or None,
        device=device,
    )


def _baseline_cost(evaluation: Evaluation) -> Content:
    return {
        "fit_seconds": evaluation.fit_seconds,
        "seconds_per_case": evaluation.seconds_per_case,
        "parameters": evaluation.parameters,
    }
