"""The YAML groups under ``hydra/`` -> one checked :class:`~surrogate_modeling.config.Config`."""

from __future__ import annotations

import secrets
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.config import PROJECT_ROOT, Config, DatasetConfig, SettingsConfig, UserError
from surrogate_modeling.model_config import MODEL_SCHEMAS, ModelConfig


def register_schemas() -> None:
    """Make the dataclasses known to Hydra as ``<group>/<name>_schema``, and the resolvers to OmegaConf."""
    store = ConfigStore.instance()
    store.store(name="config_schema", node=Config)
    store.store(group="dataset", name="csv_schema", node=DatasetConfig)
    store.store(group="settings", name="settings_schema", node=SettingsConfig)
    for name, schema in MODEL_SCHEMAS.items():
        store.store(group="model", name=f"{name}_schema", node=schema)
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
    # Two runs started in one second, on any number of machines, must not share a folder.
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def to_config(composed: Any) -> Config:
    """Turn the composed tree into plain dataclasses and check every range.

    Args:
        composed: what Hydra hands to the task function.

    Raises:
        UserError: a value is missing, out of range, or a group was not checked against its schema.
    """
    missing = sorted(OmegaConf.missing_keys(composed))
    if missing:
        raise UserError(f"{', '.join(missing)}: no value given; add {missing[0]}=... to the command")
    config = OmegaConf.to_object(composed)
    assert isinstance(config, Config)
    for group, schema in (("dataset", DatasetConfig), ("model", ModelConfig), ("settings", SettingsConfig)):
        if not isinstance(getattr(config, group), schema):
            raise UserError(
                f"{group}: the chosen YAML is not checked; start it with 'defaults: [<name>_schema, _self_]' "
                f"as the files in hydra/{group}/ do"
            )
    return config


def flatten(composed: DictConfig) -> dict[str, Any]:
    """``group.key -> value`` of a composed configuration."""
    flat: dict[str, Any] = {}
    tree: Any = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
    for group, content in tree.items():
        if isinstance(content, dict):
            flat |= {f"{group!s}.{key!s}": value for key, value in content.items()}
        else:
            flat[str(group)] = content
    return flat
