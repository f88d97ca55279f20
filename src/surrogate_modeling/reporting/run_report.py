"""The report of a run: its content, gathered at the end of the run, and its page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.commands import Config
from surrogate_modeling.evaluation.coverage import Coverage
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis
from surrogate_modeling.evaluation.report import ScoredCases
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.curves import all_targets_ratio, curves_content
from surrogate_modeling.reporting.dataset import channels_content, dataset_content
from surrogate_modeling.reporting.errors import coverage_content, errors_content, scores_content
from surrogate_modeling.reporting.repeat import repeat_content, run_arguments
from surrogate_modeling.reporting.training import Cost, training_content
from surrogate_modeling.reporting.verdict import BaselineError, RunChoices, verdict
from surrogate_modeling.surrogate.band import Band, BandScope
from surrogate_modeling.tracking.history import metric_history
from surrogate_modeling.tracking.journal import read_state


@dataclass(frozen=True)
class RunFacts:
    """What a finished run knows.

    Attributes:
        name: of the run.
        config: checked.
        split: the cases.
        step: of the time grid [s].
        scored: the test cases, predicted.
        analysis: of their errors.
        baselines: scores on the same cases, by name.
        band: of the surrogate; None if it has none.
        spreads: of its members over each test case (H, P); None without a band.
        coverage: of the band; None without one.
        cost: of the network.
        baseline_costs: of the baselines: fit_seconds, seconds_per_case, parameters.
        tags: of the record.
        warnings: texts, with how often each was given.
    """

    name: str
    config: Config
    split: CaseSplit
    step: float
    scored: ScoredCases
    analysis: ErrorAnalysis
    baselines: Mapping[str, Scores]
    band: Band | None
    spreads: Sequence[np.ndarray] | None
    coverage: Coverage | None
    cost: Cost
    baseline_costs: Mapping[str, Content]
    tags: Mapping[str, str]
    warnings: Mapping[str, int]


def run_content(folder: Path, facts: RunFacts) -> Content:
    """Content of the report of a run.

    Args:
        folder: of the run, with its record and its files so far.
        facts: of the run.
    """
    config, scores = facts.config, facts.scored.scores
    described, blocks = curves_content(facts.scored, facts.band, facts.spreads)
    arguments = run_arguments(folder, config)
    reference = read_state(folder)["run_id"] or str(folder)
    saved = config.settings.is_save_model
    choices = RunChoices(
        arguments, config.model.name, config.settings.is_debug, saved, reference, config.settings.max_minutes
    )
    training = training_content(folder, metric_history(folder), facts.cost, dict(facts.baseline_costs))
    errors = {name: BaselineError.of(other) for name, other in facts.baselines.items()}
    units = {case.name: case.unit for case in facts.split.test if case.unit is not None}
    return {
        "kind": "run",
        "title": facts.name,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "model": config.model.name,
        "cases": scores.cases,
        "channels": channels_content(scores.channels),
        "verdict": verdict(scores, facts.analysis.reach, errors, facts.cost.real_time, choices, training["shares"]),
        "scores": scores_content(scores, dict(facts.baselines)),
        "groups": {name: list(values) for name, values in scores.groups(units).items()},
        "level": facts.scored.level,
        "band": [scope.value for scope in BandScope] if facts.band else [],
        "all_targets_ratio": all_targets_ratio(facts.band) if facts.band else [],
        "curves": described,
        "blocks": blocks,
        "errors": errors_content(facts.analysis, facts.scored),
        "coverage": coverage_content(facts.coverage) if facts.coverage else [],
        "data": dataset_content(facts.split, scores.channels, facts.step, facts.tags.get("dataset_fingerprint", "")),
        "warnings": dict(facts.warnings),
        "training": training,
        "repeat": repeat_content(arguments, config.flat(), facts.tags, reference if saved else None),
        "missing": [],
    }
