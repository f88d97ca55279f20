"""What a search found, for people: tables, and the best configuration as a file and as a command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from surrogate_modeling.common.atomic_file import write_whole
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.search.space import Space, to_overrides

BEST_ROWS = 5
GROUPS = ("dataset", "model", "settings")


def write_table(path: Path, trials: Sequence[FrozenTrial], space: Space, objective: Sequence[str]) -> None:
    """Write all trials as CSV: number, state, objective, parameters, seconds, reason."""
    keys = list(dict.fromkeys([*space.searched, *(key for trial in trials for key in trial.params)]))
    lines: list[list[object]] = [["trial", "state", *objective, *keys, "seconds", "reason"]]
    for trial in trials:
        values = trial.values if trial.values and trial.state is TrialState.COMPLETE else [""] * len(objective)
        lines.append(
            [
                trial.number,
                trial.state.name,
                *(f"{value:.8g}" if value != "" else "" for value in values),
                *(trial.params.get(key, "") for key in keys),
                f"{trial.duration.total_seconds():.2f}" if trial.duration else "",
                trial.user_attrs.get("reason", ""),
            ]
        )
    write_whole(path, csv_text(lines).encode(), durable=False)


def best_table(best: Sequence[FrozenTrial], space: Space, objective: Sequence[str]) -> str:
    """The first few of the best trials, a line each."""
    rows = [["trial", *objective, *space.searched]]
    for trial in best[:BEST_ROWS]:
        values = [f"{value:.5g}" for value in trial.values]
        rows.append([str(trial.number), *values, *(short(trial.params.get(key)) for key in space.searched)])
    return aligned(rows, left=0)


def short(value: Any) -> str:
    """A parameter for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def describe(point: dict[str, Any]) -> str:
    """The parameters of a trial on one line."""
    return " ".join(f"{key}={short(value)}" for key, value in point.items()) or "as configured"


def train_command(space: Space, trial: FrozenTrial) -> str:
    """The command that trains a trial again, with its figures."""
    return shlex.join(["pdm", "run", "train", *to_overrides(space, trial.params)])


def write_best(path: Path, composed: DictConfig, head: Sequence[str]) -> None:
    """Write a configuration that ``train.py --config-dir <folder> --config-name best`` runs.

    Args:
        path: of the file.
        composed: the trial's whole configuration, with its ``hydra`` node.
        head: lines of comment.
    """
    choices = composed.hydra.runtime.choices
    task = {key: value for key, value in composed.items() if key != "hydra"}
    groups = [group for group in GROUPS if group in task and choices.get(group)]
    lines = [
        *(f"# {line}" for line in head),
        "defaults:",
        f"  - {composed.hydra.job.config_name}",
        *(f"  - override {group}: {choices[group]}" for group in groups),
        "  - _self_",
        "",
    ]
    # Interpolations stay as they are: a resolved path of this machine would be of no use on another.
    body = OmegaConf.to_yaml(OmegaConf.create(task), resolve=False)
    write_whole(path, ("\n".join(lines) + "\n" + body).encode())
