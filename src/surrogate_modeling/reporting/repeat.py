"""How to repeat a run, for its report: command, configuration, versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.schema import plain
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.verdict import train_command

PACKAGES = ("torch", "pytorch-lightning", "numpy", "scipy", "scikit-learn", "mlflow", "hydra-core", "optuna")
OVERRIDES = Path(".hydra") / "overrides.yaml"


def run_arguments(folder: Path, config: Config) -> list[str]:
    """Arguments that train a run again: as typed, or what differs from the defaults where nothing was typed."""
    if (typed := typed_arguments(folder)) is not None:
        return typed
    words = [f"dataset={config.dataset.name}", f"model={config.model.name}"]
    for group, part in (("dataset", config.dataset), ("model", config.model), ("settings", config.settings)):
        usual = asdict(type(part)()) if group == "settings" else _defaults(part)
        for key, value in asdict(part).items():
            if key != "name" and value != usual.get(key):
                words.append(f"{group}.{key}={_typed(plain(value))}")
    return words


def typed_arguments(folder: Path) -> list[str] | None:
    """Arguments of the command line of a run, as typed; None where there were none to keep."""
    path = folder / OVERRIDES
    if not path.exists():
        return None
    typed = OmegaConf.to_container(OmegaConf.load(path))
    return [str(word) for word in typed or [] if not str(word).startswith(("resume=", "hydra."))]


def _defaults(part: Any) -> dict[str, Any]:
    return {name: item.default for name, item in part.__dataclass_fields__.items()}


def _typed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(_typed(plain(item)) for item in value)}]"
    return "null" if value is None else str(value)


def repeat_content(
    arguments: list[str], flat: Mapping[str, Any], tags: Mapping[str, str], reference: str | None
) -> Content:
    """Command, configuration, versions, and how the surrogate is found.

    Args:
        arguments: of the run.
        flat: its configuration, ``group.key -> value``.
        tags: of its record.
        reference: of the saved surrogate; None where none was saved.
    """
    return {
        "command": train_command(arguments),
        "configuration": {key: _typed(value) for key, value in flat.items()},
        "versions": {"Python": platform.python_version(), **_versions(), "system": platform.platform()},
        "commit": tags.get("git_commit", "unknown"),
        "reference": reference,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
