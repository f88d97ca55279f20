"""The result of each training, kept as one JSON file, and the rows that collect the seeds of a pair."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import first_line

log = logging.getLogger(__name__)


class Status(StrEnum):
    """How a training ended; a diverged one is a result, a failed one is tried again."""

    done = "done"
    diverged = "diverged"
    failed = "failed"


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Scores and costs of a network or a baseline on the test cases.

    ``targets`` holds the nADE of each target, and ``scale`` the training standard deviation that it is in.
    """

    nade: float
    nfde: float
    targets: dict[str, float]
    fit_seconds: float
    seconds_per_case: float
    parameters: int
    diverged_cases: int = 0
    scale: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One training. Without ``numbers`` it has not come to scores, and ``reason`` says why.

    Attributes:
        validation: nADE of the validation cases in free run: what may be used to choose.
        weights: of a portfolio, the mean weight of each member in the targets.
        fraction: of the training cases that was used.
        cases: that the network learnt from.
        baseline_cases: that the baselines learnt from.
        pool: cases that the training cases are drawn from.
    """

    model: str
    recipe: str
    seed: int
    status: Status
    reason: str = ""
    numbers: Numbers | None = None
    validation: float = math.nan
    epochs: int = 0
    test_cases: int = 0
    baselines: dict[str, Numbers] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    fraction: float = 1.0
    cases: int = 0
    baseline_cases: int = 0
    pool: int = 0
    run: str = ""
    commit: str = ""
    device: str = ""


def write_result(path: Path, result: Result) -> None:
    """Keep a result."""
    write_atomic(path, json.dumps(asdict(result), indent=1, ensure_ascii=False).encode())


def read_result(path: Path) -> Result | None:
    """The result kept there, of a failed training too; None where there is none, or it is damaged, with a warning."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["status"] = Status(content["status"])
        content["numbers"] = Numbers(**content["numbers"]) if content["numbers"] else None
        content["baselines"] = {name: Numbers(**numbers) for name, numbers in content["baselines"].items()}
        return Result(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s: damaged (%s); this training is done again", path, first_line(error))
        return None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: a model with a recipe, or a baseline, over its seeds.

    Attributes:
        runs: what came to scores.
        lost: the reasons of those that did not.
        validation: one number per run.
    """

    model: str
    recipe: str
    runs: list[Numbers]
    lost: list[str]
    validation: list[float]

    @property
    def is_baseline(self) -> bool:
        """Whether nothing was trained."""
        return not self.recipe

    def values(self, name: str) -> np.ndarray:
        """One number per run."""
        return np.array([getattr(run, name) for run in self.runs], dtype=float)

    def mean(self, name: str) -> float:
        """Over the runs with scores; infinite where a free run diverged, or nothing came to scores."""
        return float(self.values(name).mean()) if self.runs else math.inf

    def spread(self, name: str) -> float:
        """Standard deviation over the seeds (n - 1); NaN for one seed."""
        values = self.values(name)
        return float(values.std(ddof=1)) if len(values) > 1 and np.isfinite(values).all() else math.nan

    @property
    def targets(self) -> dict[str, float]:
        """nADE of each target, mean over the runs."""
        names = list(self.runs[0].targets) if self.runs else []
        return {name: float(np.mean([run.targets[name] for run in self.runs])) for name in names}


def make_rows(results: Sequence[Result]) -> list[Row]:
    """Baselines first, then the pairs from the least nADE on; those that lost a seed come after those that did not."""
    pairs: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        pairs.setdefault((result.model, result.recipe), []).append(result)
    rows = [
        Row(
            model=model,
            recipe=recipe,
            runs=[result.numbers for result in members if result.numbers],
            lost=[f"seed {r.seed} {r.status.value}: {r.reason}" for r in members if not r.numbers],
            validation=[result.validation for result in members if result.numbers],
        )
        for (model, recipe), members in pairs.items()
    ]
    rows.sort(key=lambda row: (bool(row.lost), row.mean("nade")))
    return [*_baseline_rows(results), *rows]


def _baseline_rows(results: Sequence[Result]) -> list[Row]:
    """One line per baseline: every run has fitted it, to the same cases for the same seed."""
    of_seed: dict[str, dict[int, Numbers]] = {}
    for result in results:
        for name, numbers in result.baselines.items():
            of_seed.setdefault(name, {}).setdefault(result.seed, numbers)
    return [
        Row(model=name, recipe="", runs=list(runs.values()), lost=[], validation=[]) for name, runs in of_seed.items()
    ]
