"""Training of a run for a report: learning curves, members and their weights, cost."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from surrogate_modeling.reporting.content import Content
from surrogate_modeling.tracking.history import History

MAX_CURVES, MAX_STEPS = 40, 400
LOSSES = ("train_loss", "val_loss", "val_nADE")
SHARE = "/network_share"


@dataclass(frozen=True)
class Cost:
    """Cost of a run.

    Attributes:
        fit_seconds: of all fits that the prediction uses.
        seconds_per_case: of the prediction.
        real_time: how many times faster than real time the prediction is.
        parameters: trained numbers.
        epochs: done, of the network.
        memory_bytes: most that the process held.
        device_memory_bytes: most that it held on the GPU; None without one.
        device: its name.
    """

    fit_seconds: float
    seconds_per_case: float
    real_time: float
    parameters: int
    epochs: int
    memory_bytes: int | None
    device_memory_bytes: int | None
    device: str


def training_content(folder: Path, history: History, cost: Cost | None, baselines: dict[str, Content]) -> Content:
    """Learning curves, members and cost.

    Args:
        folder: of the run, for its ``portfolio.csv``.
        history: metrics by step.
        cost: of the network; None if unknown.
        baselines: name -> fit_seconds, seconds_per_case and parameters.
    """
    return {
        "curves": learning_curves(history),
        "shares": {name.removesuffix(SHARE): values[-1][1] for name, values in history.items() if name.endswith(SHARE)},
        "members": read_members(folder / "portfolio.csv"),
        "cost": asdict(cost) if cost else None,
        "baselines": baselines,
    }


def learning_curves(history: History) -> Content:
    """Steps and values of the losses of each network; of long curves every n-th step and the best one."""
    curves: Content = {}
    for name, values in history.items():
        if name.rpartition("/")[2] not in LOSSES or len(values) < 2 or len(curves) >= MAX_CURVES:
            continue
        stride = math.ceil(len(values) / MAX_STEPS)
        best = min(range(len(values)), key=lambda i: values[i][1])
        chosen = sorted({*range(0, len(values), stride), best, len(values) - 1})
        curves[name] = [[values[i][0] for i in chosen], [values[i][1] for i in chosen]]
    return curves


def read_members(path: Path) -> Content | None:
    """Errors on cases left out and weights of a portfolio's members, (M, P) as its ``portfolio.csv`` has them."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    names, columns = list(dict.fromkeys(row[0] for row in rows)), list(dict.fromkeys(row[1] for row in rows))
    values = {(row[0], row[1]): (float(row[2]), float(row[3])) for row in rows}
    tables = [[[values[name, column][k] for column in columns] for name in names] for k in (0, 1)]
    return {"names": names, "errors": tables[0], "weights": tables[1]}
