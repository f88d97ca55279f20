"""Turn the configuration that Hydra composes from ``hydra/`` into checked dataclasses; save and load that of a run."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.paths import PROJECT_ROOT, expanded
from surrogate_modeling.config.adapt_keys import AdaptConfig
from surrogate_modeling.config.commands import (
    CompareConfig,
    Config,
    ExportConfig,
    FinishConfig,
    GenerateConfig,
    LookConfig,
    PredictConfig,
    ReportConfig,
)
from surrogate_modeling.config.dataset import DATASET_SCHEMAS, DatasetConfig, require_simulated
from surrogate_modeling.config.explain_keys import ExplainConfig
from surrogate_modeling.config.import_keys import ImportConfig, with_new_texts
from surrogate_modeling.config.models import MODEL_SCHEMAS, AutoConfig, ModelConfig
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.config.plan_keys import PlanConfig
from surrogate_modeling.config.schema import plain
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.config.unknown_keys import require_known

Kind = TypeVar("Kind")
GROUPS = ("dataset", "model", "settings")
# Keys of the dataset that are paths.
FILE_KEYS = ("path", "groups", "fmu", "plan", "template")


def register_schemas() -> None:
    """Register the dataclasses with Hydra as ``<group>/<name>_schema``, and the resolvers with OmegaConf."""
    _register(tuple(MODEL_SCHEMAS))


@cache
def _register(models: tuple[str, ...]) -> None:  # noqa: ARG001 a network may have come since the last time
    """Register all, once for the networks that there are: it takes a quarter of the time of a composition."""
    store = ConfigStore.instance()
    store.store(name="config_schema", node=Config)
    store.store(name="generate_schema", node=GenerateConfig)
    store.store(name="compare_schema", node=CompareConfig)
    store.store(name="import_schema", node=ImportConfig)
    store.store(name="look_schema", node=LookConfig)
    store.store(name="report_schema", node=ReportConfig)
    store.store(name="predict_schema", node=PredictConfig)
    store.store(name="export_schema", node=ExportConfig)
    store.store(name="optimise_schema", node=OptimiseConfig)
    store.store(name="explain_schema", node=ExplainConfig)
    store.store(name="plan_schema", node=PlanConfig)
    store.store(name="finish_schema", node=FinishConfig)
    store.store(name="adapt_schema", node=AdaptConfig)
    store.store(group="settings", name="settings_schema", node=SettingsConfig)
    for group, schemas in (("dataset", DATASET_SCHEMAS), ("model", MODEL_SCHEMAS)):
        for name, schema in schemas.items():
            store.store(group=group, name=f"{name}_schema", node=schema)
    OmegaConf.register_new_resolver("stem_of", _stem_of, replace=True)
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)
    # Two runs started in one second, on any number of machines, must not share a folder.
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def _stem_of(key: str, *, _parent_: DictConfig) -> str:
    """Name, without folder and ending, of the file that a key beside this one names; the key's own where it has none.

    A missing key is so reported itself, not what is made of it.
    """
    return Path(str(OmegaConf.select(_parent_, key) or key)).stem


def to_config(composed: DictConfig) -> Config:
    """Turn the composed tree of ``train.py`` into plain dataclasses and check every range.

    Raises:
        UserError: a value is missing, out of range, or a group was not checked against its schema.
    """
    config = to_command(composed, Config)
    for group, schema in (("dataset", DatasetConfig), ("model", ModelConfig), ("settings", SettingsConfig)):
        _require_schema(group, getattr(config, group), schema)
    if isinstance(config.model, AutoConfig):
        for name in config.model.recipes:
            member_settings(config, name)
        for name in config.model.larger:
            larger_model(config.model, name)
    return config


def member_settings(config: Config, name: str) -> SettingsConfig:
    """Settings of one network of a portfolio: those of the run, with what ``model.recipes`` changes.

    Raises:
        UserError: a key, type or range that does not exist there.
    """
    changed = config.model.recipes.get(name, {}) if isinstance(config.model, AutoConfig) else {}
    try:
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(config.settings), changed))
    except OmegaConfBaseException as error:
        raise UserError(f"model.recipes.{name}: {first_line(error)}") from None
    assert isinstance(settings, SettingsConfig)
    return settings


def larger_model(model: AutoConfig, name: str) -> ModelConfig:
    """The second network of a kind that ``model.larger`` asks for.

    Raises:
        UserError: a key, type or range that the network does not have, or no such network.
    """
    if name not in MODEL_SCHEMAS:
        raise UserError(f"model.larger.{name}: no such network; known: {', '.join(MODEL_SCHEMAS)}")
    try:
        larger = OmegaConf.to_object(
            OmegaConf.merge(OmegaConf.structured(MODEL_SCHEMAS[name](name)), model.larger[name])
        )
    except OmegaConfBaseException as error:
        raise UserError(f"model.larger.{name}: {first_line(error)}") from None
    assert isinstance(larger, ModelConfig)
    return larger


def reload_config(folder: Path) -> Config:
    """Load and check the configuration that a run was started with.

    Raises:
        UserError: it cannot be read, or is not that of a run.
    """
    path = folder / ".hydra" / "config.yaml"
    try:
        saved = OmegaConf.load(path)
        if not isinstance(saved, DictConfig) or not all(OmegaConf.is_dict(saved.get(group)) for group in GROUPS):
            raise UserError(f"the groups {', '.join(GROUPS)} are expected")
        if (name := saved.model.get("name")) not in MODEL_SCHEMAS:
            raise UserError(f"model.name={name}: no such network; known: {', '.join(MODEL_SCHEMAS)}")
        return checked(saved)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, UserError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read ({reason}); this run cannot go on") from None


def checked(saved: DictConfig) -> Config:
    """Check a whole configuration against the schemas of the groups that it names."""
    schemas = {
        "dataset": DATASET_SCHEMAS.get(saved.dataset.name, DatasetConfig),
        "model": MODEL_SCHEMAS[saved.model.name],
        "settings": SettingsConfig,
    }
    checked = OmegaConf.structured(Config)
    for group, schema in schemas.items():
        checked[group] = OmegaConf.merge(OmegaConf.structured(schema), saved[group])
    return to_config(checked)


def save_config(config: Config, folder: Path) -> None:
    """Write the configuration of a run with absolute paths, so that it can be resumed from any folder."""
    dataset = asdict(config.dataset)
    places = {key: _absolute(dataset[key], f"dataset.{key}") for key in FILE_KEYS if dataset.get(key) is not None}
    settings, begun = asdict(config.settings), config.settings.init_from
    if begun is not None and expanded(begun, "settings.init_from").exists():
        settings["init_from"] = _absolute(begun, "settings.init_from")
    content = {"dataset": {**dataset, **places}, "model": asdict(config.model), "settings": settings}
    groups = {group: {key: plain(value) for key, value in part.items()} for group, part in content.items()}
    (folder / ".hydra").mkdir(exist_ok=True)
    text = OmegaConf.to_yaml(OmegaConf.create({**groups, "resume": None}))
    write_atomic(folder / ".hydra" / "config.yaml", text.encode())


def _absolute(path: str, key: str) -> str:
    return str(expanded(path, key).absolute())


def to_generation(composed: DictConfig) -> GenerateConfig:
    """Turn the composed tree of ``generate.py`` into a checked dataclass."""
    config = to_command(composed, GenerateConfig)
    require_simulated(config.dataset)
    return config


def to_plan(composed: DictConfig) -> PlanConfig:
    """Turn the composed tree of ``plan.py`` into a checked dataclass."""
    config = to_command(composed, PlanConfig)
    if config.dataset is not None:
        require_simulated(config.dataset)
    return config


def to_comparison(composed: DictConfig) -> CompareConfig:
    """Turn the composed tree of ``compare.py`` into a checked dataclass."""
    config = to_command(composed, CompareConfig)
    _require_schema("dataset", config.dataset, DatasetConfig)
    return config


def to_import(composed: DictConfig, given: Sequence[str]) -> ImportConfig:
    """Turn the composed tree of ``import_cases.py`` into a checked dataclass; ``repeat`` gives what is not given.

    Args:
        composed: by Hydra.
        given: arguments of the command line.

    Raises:
        UserError: ``source`` or ``output`` is missing, or the file of ``repeat`` is not that of an import.
    """
    if composed.repeat is not None:
        path = expanded(composed.repeat, "repeat")
        saved = _saved_keys(path)
        named = {argument.lstrip("+~").partition("=")[0].partition(".")[0] for argument in given}
        if unknown := [key for key in saved if key not in composed]:
            raise UserError(f"repeat={path}: keys.{unknown[0]}: no such key")
        given_keys = {key: composed[key] for key in named if key in composed}
        if composed.text is not None:
            text = OmegaConf.to_container(composed.text) if OmegaConf.is_config(composed.text) else composed.text
            saved["text"], composed.text = with_new_texts(saved.get("text"), text), None
            del given_keys["text"]
        try:
            # Hydra closes the tree; columns are keys of some dictionaries in it.
            OmegaConf.set_struct(composed, False)
            merged = OmegaConf.merge(composed, saved, given_keys)
            assert isinstance(merged, DictConfig)
            composed = merged
        except OmegaConfBaseException as error:
            raise UserError(f"repeat={path}: {str(error).splitlines()[0]}") from None
    config = to_command(composed, ImportConfig)
    for key in ("source", "output"):
        if getattr(config, key) is None and not (key == "output" and config.dry_run):
            raise UserError(f"{key}: no value given; add {key}=... to the command")
    return config


def _saved_keys(path: Path) -> dict[str, Any]:
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, ValueError, YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"repeat={path}: {reason}; give the import.yaml of an import") from None
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, dict):
        raise UserError(f"repeat={path}: holds no keys of an import; give its import.yaml")
    return {str(key): value for key, value in keys.items()}


def to_look(composed: DictConfig) -> tuple[LookConfig, bool]:
    """Turn the composed tree of ``look.py`` into a checked dataclass; whether ``dataset.controls`` was given."""
    given = not OmegaConf.is_missing(composed.dataset, "controls")
    if not given:
        # Any number of columns: they are read in the order of the files, and their roles are found out.
        composed.dataset.controls = 1
    config = to_command(composed, LookConfig)
    _require_schema("dataset", config.dataset, DatasetConfig)
    return config, given


def to_command(composed: DictConfig, kind: type[Kind]) -> Kind:
    """Turn the composed tree of a command into its dataclass, checked.

    Raises:
        UserError: a key is unknown, or a value is missing or out of range.
    """
    require_known(composed)
    require_values(composed)
    config = OmegaConf.to_object(composed)
    assert isinstance(config, kind)
    return config


def require_values(composed: DictConfig) -> None:
    """Check that every key has a value.

    Raises:
        UserError: keys that have none.
    """
    missing = sorted(OmegaConf.missing_keys(composed))
    if missing:
        raise UserError(f"{', '.join(missing)}: no value given; add {missing[0]}=... to the command")


def _require_schema(group: str, value: Any, schema: type) -> None:
    if not isinstance(value, schema):
        raise UserError(
            f"{group}: the chosen YAML is not checked; start it with 'defaults: [<name>_schema, _self_]' "
            f"as the files in hydra/{group}/ do"
        )
