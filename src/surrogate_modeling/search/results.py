"""Results of a search for people: tables, and the best configuration as a file and as a command."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.search.space import Space, to_overrides

BEST_ROWS = 5
MAIN_CONFIG = "config"
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
    write_atomic(path, csv_text(lines).encode(), durable=False)


def best_table(best: Sequence[FrozenTrial], space: Space, objective: Sequence[str]) -> str:
    """The first few of the best trials, a line each."""
    rows = [["trial", *objective, *space.searched]]
    for trial in best[:BEST_ROWS]:
        values = [f"{value:.5g}" for value in trial.values]
        rows.append([str(trial.number), *values, *(short(trial.params.get(key)) for key in space.searched)])
    return aligned(rows, left=0)


def short(value: Any) -> str:
    """A parameter for people, as it would be typed."""
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def describe(point: dict[str, Any]) -> str:
    """The parameters of a trial on one line."""
    return " ".join(f"{key}={short(value)}" for key, value in point.items()) or "as configured"


def train_command(config: DictConfig, space: Space, trial: FrozenTrial) -> str:
    """The command that trains a trial again, with its figures.

    Args:
        config: Hydra's, which knows the configuration files of this search.
        space: of the search.
        trial: to be trained.
    """
    words = ["pdm", "run", "train", *config_options(config), *to_overrides(space, trial.params)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def config_options(config: DictConfig) -> list[str]:
    """The options of the command line that choose its configuration files."""
    name = str(config.hydra.job.config_name or "").removesuffix(".yaml")
    options = [f"--config-dir={path}" for path in config_folders(config)]
    return options if name in ("", MAIN_CONFIG) else [*options, f"--config-name={name}"]


def config_folders(config: DictConfig) -> list[str]:
    """Folders of configuration files that the command line added (``--config-dir``)."""
    return [str(source.path) for source in config.hydra.runtime.config_sources if source.provider == "command-line"]


def write_best_configuration(path: Path, composed: DictConfig, head: Sequence[str]) -> None:
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
    if folders := config_folders(composed):
        # The files above are found there.
        search_path = OmegaConf.create({"hydra": {"searchpath": [f"file://{folder}" for folder in folders]}})
        lines.append(OmegaConf.to_yaml(search_path))
    # Interpolations stay as they are: a resolved path of this machine would be of no use on another.
    body = OmegaConf.to_yaml(OmegaConf.create(task), resolve=False)
    write_atomic(path, ("\n".join(lines) + "\n" + body).encode())
