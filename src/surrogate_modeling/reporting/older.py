"""Content of the report of a run that kept none: what its other files say, and a list of what is missing.

Shape letters: B cases, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from surrogate_modeling.cases.case_file import CaseFileError, RawCase, parse_case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.file_names import file_names
from surrogate_modeling.common.paths import MODEL_FILE
from surrogate_modeling.config.identity import flatten
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.curves import MAX_POINTS, pack_curves
from surrogate_modeling.reporting.dataset import channels_content
from surrogate_modeling.reporting.errors import scores_content
from surrogate_modeling.reporting.kept_tables import damaged, read_table
from surrogate_modeling.reporting.repeat import typed_arguments
from surrogate_modeling.reporting.training import training_content
from surrogate_modeling.reporting.verdict import BaselineError, RunChoices, train_command, verdict
from surrogate_modeling.tracking.stored_run import StoredRun

ERRORS, COVERAGE = "errors.csv", "coverage.csv"
ERROR_PREFIX = "ADE/std "
# Files of a run that its report is made from.
NEEDED = (".hydra", "csv", "band", "loss", ERRORS, COVERAGE, "portfolio.csv")
ALWAYS_MISSING = (
    "missing_truth", "missing_range", "missing_baselines", "missing_errors", "missing_data", "missing_warnings",
    "missing_cost",
)  # fmt: skip
OLD_LEVEL = 0.9


@dataclass(frozen=True)
class _Tables:
    """Scores and distances of the cases of ``errors.csv`` and ``loss/``."""

    scores: Scores
    reach: np.ndarray


def older_content(folder: Path, record: StoredRun, reference: str) -> Content:
    """Content of the report of a run from its files.

    Args:
        folder: of its files.
        record: of the run.
        reference: by which it was asked for.

    Raises:
        UserError: it has no scores.
    """
    flat = _configuration(folder)
    tables = _read_tables(folder, flat)
    scores, channels = tables.scores, tables.scores.channels
    described, blocks, banded = _curves(folder, scores)
    arguments = typed_arguments(folder) or []
    choices = _choices(folder, flat, arguments, reference)
    baselines = _baselines(record)
    training = training_content(folder, record.history, None, {})
    real_time = record.metrics.get("real_time_factor")
    found = verdict(scores, tables.reach, baselines, real_time, choices, training["shares"])
    return {
        "kind": "run",
        "title": record.name,
        "written": "",
        "model": choices.model,
        "cases": scores.cases,
        "channels": channels_content(channels),
        "truth": False,
        "verdict": found if arguments else {**found, "command": ""},
        "scores": {**scores_content(scores, {}), "baselines": {n: {"nade": b.nade} for n, b in baselines.items()}},
        "groups": {},
        "level": OLD_LEVEL,
        "band": ["row"] if banded else [],
        "all_targets_ratio": [],
        "curves": described,
        "blocks": blocks,
        "errors": {"reach": tables.reach.tolist()},
        "coverage": _coverage(folder, channels),
        "data": None,
        "warnings": None,
        "training": training,
        "repeat": _repeat(arguments, flat, record, reference if choices.saved else None),
        "missing": [
            *ALWAYS_MISSING,
            *([] if training["curves"] else ["missing_history"]),
            *([] if described else ["missing_curves"]),
        ],
    }


def _baselines(record: StoredRun) -> dict[str, BaselineError]:
    """nADE of each baseline, by its name."""
    prefix = "nADE_"
    errors = {key.removeprefix(prefix): value for key, value in record.metrics.items() if key.startswith(prefix)}
    return {name: BaselineError(value, None) for name, value in errors.items()}


def _choices(folder: Path, flat: dict[str, Any], arguments: list[str], reference: str) -> RunChoices:
    """What the run was asked for, by its configuration."""
    saved = (folder / MODEL_FILE).exists() or str(flat.get("settings.is_save_model")) == "True"
    debug = str(flat.get("settings.is_debug")) == "True"
    minutes = flat.get("settings.max_minutes")
    known = float(minutes) if isinstance(minutes, int | float) else None
    return RunChoices(arguments, str(flat.get("model.name", "?")), debug, saved, reference, known)


def _repeat(arguments: list[str], flat: dict[str, Any], record: StoredRun, reference: str | None) -> Content:
    return {
        "command": train_command(arguments) if arguments else "",
        "configuration": {key: str(value) for key, value in flat.items()},
        "versions": {},
        "commit": record.tags.get("git_commit", "unknown"),
        "reference": reference,
    }


def _configuration(folder: Path) -> dict[str, Any]:
    path = folder / ".hydra" / "config.yaml"
    if not path.exists():
        return {}
    try:
        loaded = OmegaConf.load(path)
    except (OSError, ValueError, YAMLError) as error:
        raise damaged(folder, ".hydra/config.yaml", " ".join(str(error).split())) from None
    return flatten(loaded) if isinstance(loaded, DictConfig) else {}


def _read_tables(folder: Path, flat: dict[str, Any]) -> _Tables:
    if not (folder / ERRORS).exists():
        raise UserError(f"{folder}: no {ERRORS} and no report.json.gz; give a run that has finished")
    head, rows = read_table(folder, ERRORS)
    predicted = [cell.removeprefix(ERROR_PREFIX) for cell in head if cell.startswith(ERROR_PREFIX)]
    if not predicted or not rows:
        raise damaged(folder, f"{ERRORS}, line 1", f"columns '{ERROR_PREFIX}...' and a line per case are expected")
    first = len(head) - len(predicted)
    cases = [row.cells[0] for row in rows]
    shares = np.array([[row.value(j) for j in range(first, len(head))] for row in rows])
    distance = head.index("training_distance") if "training_distance" in head else None
    reach = np.array([math.nan if distance is None else row.value(distance) for row in rows])
    units, ade, fde = dict[str, str](), np.full(shares.shape, math.nan), np.full(shares.shape, math.nan)
    for j, (name, safe) in enumerate(file_names(predicted).items()):
        for metric, errors in (("ADE", ade), ("FDE", fde)):
            file = f"loss/loss_{safe}_{metric}.csv"
            titles, lines = read_table(folder, file) if (folder / file).exists() else (["case", f"{metric} [?]"], [])
            if len(titles) != 2:
                raise damaged(folder, f"{file}, line 1", f"case and {metric} are expected")
            units[name] = titles[1].partition(" [")[2].removesuffix("]")
            found = {line.cells[0]: line.value(1) for line in lines}
            errors[:, j] = [found.get(case, math.nan) for case in cases]
    scale = _scale(ade, shares)
    wanted = flat.get("dataset.targets")
    targets = [name for name in wanted if name in predicted] if isinstance(wanted, list) else predicted
    controls = _controls(folder, predicted)
    channels = Channels(tuple(controls), tuple(predicted), tuple(targets or predicted), {**units, **controls})
    return _Tables(Scores(cases, channels, ade, fde, scale), reach)


def _scale(ade: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Training standard deviations (P,), from errors in units and in standard deviations, both (B, P)."""
    known = np.isfinite(ade) & np.isfinite(shares) & (shares > 0)
    ratios = np.where(known, ade / np.where(known, shares, 1.0), math.nan)
    return np.array([np.nanmedian(column) if np.isfinite(column).any() else 1.0 for column in ratios.T])


def _parsed(path: Path) -> RawCase:
    try:
        return parse_case(path, path.read_bytes(), full_columns=())
    except CaseFileError as error:
        raise damaged(path.parents[1], str(path.relative_to(path.parents[1])), error.problems[0].text) from None


def _controls(folder: Path, predicted: list[str]) -> dict[str, str]:
    """Name and unit of the controls, which the predicted CSVs hold beside the predicted columns."""
    files = sorted((folder / "csv").glob("*.csv"))
    if not files:
        return {}
    case = _parsed(files[0])
    return {name: unit for name, unit in zip(case.names, case.units, strict=True) if name not in set(predicted)}


def _curves(folder: Path, scores: Scores) -> tuple[list[Content], list[str], bool]:
    """The predicted trajectories and their bands; none where a file of a case is missing."""
    channels, names = scores.channels, file_names(scores.cases)
    files = [folder / "csv" / f"{names[case]}.csv" for case in scores.cases]
    bands = [folder / "band" / path.name for path in files]
    if not all(path.exists() for path in files):
        return [], [], False
    banded = all(path.exists() for path in bands)
    described, blocks = [], []
    for path, band in zip(files, bands, strict=True):
        case = _parsed(path)
        columns = {name: case.values[:, k] for k, name in enumerate(case.names)}
        rows = np.stack([columns[name] for name in channels.predicted], axis=1)
        controls = [columns[name] for name in channels.controls]
        parts = [
            np.stack(controls, axis=1) if controls else np.empty((len(rows), 0)),
            np.full(rows.shape, math.nan),
            rows,
        ]
        if banded:
            edges = _parsed(band)
            parts.append((edges.values[:, 1::2] - edges.values[:, ::2]) / 2)
        content, text = pack_curves(case.time, np.hstack(parts).T, MAX_POINTS)
        described.append({**content, "given": 0, "leaves": [], "outside": []})
        blocks.append(text)
    return described, blocks, banded


def _coverage(folder: Path, channels: Channels) -> list[Content]:
    """Coverage of the rows, as ``coverage.csv`` has it."""
    if not (folder / COVERAGE).exists():
        return []
    head, rows = read_table(folder, COVERAGE)
    found = {row.cells[0]: row for row in rows}
    if set(found) != set(channels.predicted):
        return []
    if "coverage" not in head:
        raise damaged(folder, f"{COVERAGE}, line 1", "a column coverage is expected")
    lines = [found[name] for name in channels.predicted]

    def column(name: str) -> list[float]:
        return [line.value(head.index(name)) if name in head else math.nan for line in lines]

    reached, promised = column("coverage"), column("promised")[0]
    return [
        {
            "scope": "row",
            "promised": OLD_LEVEL if math.isnan(promised) else promised,
            "reached": reached,
            "least": column("least coverage"),
            "half_width": column("half-width"),
            "all_targets": float(np.mean([reached[j] for j in channels.target_indices])),
        }
    ]
