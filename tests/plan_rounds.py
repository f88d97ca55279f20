"""Rounds of a plan in the tests: cases, configuration, a quick training, and what rounds leave."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from lag import CHANNELS, lag_case

from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.config.dataset import CommandConfig
from surrogate_modeling.config.plan_keys import PlanConfig
from surrogate_modeling.generation.simulator import case_name
from surrogate_modeling.planning.training import FirstCases
from surrogate_modeling.surrogate.model import Surrogate


class Killed(BaseException):
    """The process ends here."""


def write(folder: Path, number: int) -> None:
    case = lag_case(60, number)
    write_case(folder / f"{case_name(number)}.csv", CHANNELS.units, case.time, case.values)


def config(tmp_path: Path, **keys: Any) -> PlanConfig:
    dataset = CommandConfig(
        "command", path="unused", command="simulate", controls=None, cases=4, duration=59.0, output_step=1.0,
        inputs={"u": [-1, 1]}, units={"u": "-"},
    )  # fmt: skip
    given = {"cases": 2, "candidates": 5, "rounds": 3, **keys}
    return PlanConfig("first", output=str(tmp_path / "out"), dataset=dataset, **given)


def train(first: Surrogate, before: Path, cases: FirstCases, config: PlanConfig, folder: Path) -> Surrogate:
    """Moves the scaling by the number of cases, so that each round's surrogate and choice are others."""
    made = deepcopy(Surrogate.load(before))
    there = [lag_case(60, int(file.stem[4:])) for file in sorted((folder.parents[1] / "cases").iterdir())
             if file.suffix == ".csv"]  # fmt: skip
    made.training_range.fit(there, made.scaling, 4)
    made.scaling.mean[1:] += 0.01 * len(there)
    return made


def left(folder: Path) -> dict[str, Any]:
    """What rounds leave, without seconds."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("round*/result.json"))]
    for each in results:
        del each["simulating"], each["training"]
    chosen = [path.read_text() for path in sorted(folder.glob("round*/chosen.json"))]
    tables = [path.read_text() for path in sorted(folder.glob("round*/plan.csv"))]
    return {
        "results": results,
        "chosen": chosen,
        "tables": tables,
        "cases": sorted(p.name for p in (folder / "cases").glob("*.csv")),
    }
