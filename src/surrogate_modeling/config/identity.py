"""The configuration keys that determine a result, and the differences between two configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

WITHOUT_EFFECT = {
    "settings.workers",
    "settings.progress_bar",
    "settings.num_figures",
    "settings.figure_format",
    "settings.language",
    "settings.mlflow_exp_name",
    "settings.is_save_model",
    "settings.register_model",
    "dataset.workers",
    "dataset.trust",
    "dataset.case_timeout",
    "dataset.attempts",
    # The location of the cases does not matter: their fingerprint identifies them.
    "dataset.path",
    "dataset.fmu",
    "dataset.plan",
    "dataset.template",
    "resume",
    "objective",
}


def decisive(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Select the keys that determine a result from a configuration as ``group.key -> value``."""
    return {key: value for key, value in flat.items() if key not in WITHOUT_EFFECT}


def flatten(composed: DictConfig) -> dict[str, Any]:
    """Flatten a composed, unchecked configuration to ``group.key -> value``."""
    flat: dict[str, Any] = {}
    tree: Any = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
    for group, content in tree.items():
        if isinstance(content, dict):
            flat |= {f"{group!s}.{key!s}": value for key, value in content.items()}
        else:
            flat[str(group)] = content
    return flat


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the differences between two flat configurations, one text per key: ``settings.epochs was 5 and is 6``."""
    missing = "not there"
    return [
        f"{key} was {before.get(key, missing)} and is {now.get(key, missing)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key, missing) != now.get(key, missing)
    ]
