"""A finished run in memory, of hostile names and two small cases, as a report is given it."""

from functools import cache
from pathlib import Path

import numpy as np
from builders import composed

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.evaluation.coverage import Coverage
from surrogate_modeling.evaluation.error_analysis import analyse
from surrogate_modeling.evaluation.report import ScoredCases
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.reporting.run_report import RunFacts
from surrogate_modeling.reporting.training import Cost
from surrogate_modeling.surrogate.band import Band
from surrogate_modeling.surrogate.training_range import Position

GIVEN = 5
EVIL = "</script><script>alert('x')</script>"
RIGHT_TO_LEFT = "a\u202ereversed"


def channels(predicted: int = 3) -> Channels:
    """One control, and predicted columns of which the first two are targets."""
    names = ("q\"uo'te", "圧力 & <b>", EVIL, *(f"y{i}" for i in range(predicted)))
    columns = names[1 : 1 + predicted]
    return Channels((names[0],), columns, columns[:2], {**dict.fromkeys(columns, "<kPa>"), names[0]: "-"})


def case(name: str, rows: int, seed: int, columns: Channels) -> Case:
    """A wave in the control, and waves of other phases in the predicted columns."""
    time, phase = np.arange(float(rows)), 0.3 * np.arange(1 + len(columns.predicted))
    values = np.sin(time[:, None] / 20 + phase + seed) * (1 + np.arange(len(phase)))
    return Case(name, time, values.astype(np.float32), columns)


def band_of(predicted: int) -> Band:
    """A band of half-width 0.5 for rows, 1 for trajectories and 2 for all targets."""
    flat = np.ones((1, predicted))
    factors = [np.full(predicted, value) for value in (0.5, 1.0, 2.0)]
    return Band(np.zeros(1), flat, factors[0], flat, factors[1], factors[2], cases=20)


@cache
def _config() -> Config:
    """Composed once: it takes a tenth of a second."""
    return to_config(composed("dataset=csv", "dataset.path=cases", "dataset.controls=1", "model=ssm", "settings=quick"))


def run_facts(
    names: tuple[str, ...] = (EVIL, RIGHT_TO_LEFT), rows: int = 60, predicted: int = 3, shift: float = 0.25
) -> RunFacts:
    """Facts of a run whose prediction is the truth plus ``shift`` for the first case, twice that for the second, ...

    The linear baseline is off by 0.4 everywhere, persistence by 3.
    """
    columns = channels(predicted)
    test = [case(name, rows + i, i, columns) for i, name in enumerate(names)]
    split = CaseSplit([case(f"train{i}", 50, 10 + i, columns) for i in range(3)], [], test)
    predictions = [c.truth(len(c.time) - GIVEN) + np.float32(shift * (i + 1)) for i, c in enumerate(test)]
    scale = np.ones(predicted)
    scores = score(test, predictions, columns, scale)
    positions = [Position(np.where(np.arange(len(c.time)) < 20, 0.5, 1.5), 0.2) for c in test]
    band, spreads = band_of(predicted), [np.zeros_like(p) for p in predictions]
    runs = list(zip(predictions, spreads, strict=True))
    others = {
        name: score(test, [c.truth(len(c.time) - GIVEN) + np.float32(off) for c in test], columns, scale)
        for name, off in (("persistence", 3.0), ("linear", 0.4))
    }
    return RunFacts(
        name=f"run of {EVIL}",
        config=_config(),
        split=split,
        step=1.0,
        scored=ScoredCases(test, predictions, scores, band.half_widths(spreads), band.level, positions),
        analysis=analyse(test, predictions, scores, positions),
        baselines=others,
        band=band,
        spreads=spreads,
        coverage=Coverage.of(test, runs, band, columns),
        cost=Cost(12.0, 0.002, 5000.0, 1234, 40, 2**30, None, "cpu"),
        baseline_costs={"linear": {"fit_seconds": 1.0, "seconds_per_case": 0.001, "parameters": 10}},
        tags={"git_commit": "abc", "dataset_fingerprint": "f00", "device": "cpu"},
        warnings={f"a warning of {EVIL}": 2},
    )


def write_overrides(folder: Path, *arguments: str) -> None:
    """The arguments of a run's command line, as Hydra keeps them."""
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {word}\n" for word in arguments), encoding="utf-8")
