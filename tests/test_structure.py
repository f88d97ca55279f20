"""What the layout promises: our folder ``hydra/`` does not shadow Hydra, our modules shadow nobody's."""

import itertools
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from builders import composed

from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.models import MODEL_SCHEMAS

SOURCE = PROJECT_ROOT / "src" / "surrogate_modeling"


def group(name: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / name).glob("*.yaml"))


def test_the_config_folder_holds_no_python() -> None:
    assert [*CONFIG_DIR.rglob("*.py"), *CONFIG_DIR.rglob("*.pyc")] == []


@pytest.mark.parametrize("place", [PROJECT_ROOT, SOURCE], ids=["project", "package"])
def test_import_hydra_gets_the_installed_one(place: object) -> None:
    script = "import hydra; print(hydra.__file__, callable(hydra.main))"
    done = subprocess.run([sys.executable, "-c", script], cwd=str(place), capture_output=True, text=True, check=True)
    where, works = done.stdout.split()
    assert "site-packages" in where
    assert works == "True"


def test_no_module_of_ours_has_the_name_of_another() -> None:
    """Running ``python train.py`` puts the package folder first on the path."""
    ours = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    others = {*sys.stdlib_module_names, *packages_distributions()} - {"surrogate_modeling"}
    assert ours & others == set()


def test_every_schema_has_a_yaml() -> None:
    assert set(group("model")) == {name for name, schema in MODEL_SCHEMAS.items() if not schema.closed_form}


@pytest.mark.parametrize(
    ("dataset", "model", "settings"),
    [
        *itertools.product(["csv"], group("model"), group("settings")),
        *((dataset, "dot", "default") for dataset in group("dataset") if dataset != "csv"),
    ],
)
def test_every_shipped_yaml_composes_and_passes_the_checks(dataset: str, model: str, settings: str) -> None:
    tree = composed(f"dataset={dataset}", f"model={model}", f"settings={settings}", "dataset.path=x")
    required = {"csv": ("controls", 3), "fmu": ("fmu", "plant.fmu"), "command": ("command", "simulate")}
    if dataset in required:
        key, value = required[dataset]
        tree.dataset[key] = value
    config = to_config(tree)
    assert type(config.model) is MODEL_SCHEMAS[model]
    assert config.model.name == model
    assert config.dataset.name == dataset


def test_the_yaml_says_every_key_of_its_schema() -> None:
    """A key that only the dataclass knows would be invisible to whoever reads the YAML."""
    for name in ("dataset", "model", "settings"):
        for choice in group(name):
            text = (CONFIG_DIR / name / f"{choice}.yaml").read_text(encoding="utf-8")
            if "_schema" not in text:
                continue  # made from another file, of which it changes some keys
            # A file of the global package writes its keys below the name of the group.
            indent = "  " if "@package _global_" in text else ""
            keys = [line[len(indent) :] for line in text.splitlines() if line.startswith(indent)]
            written = {line.split(":")[0] for line in keys if line[:1].isalpha()} - {"defaults"}
            tree = composed(f"{name}={choice}")
            assert set(tree[name]) == written, f"{name}/{choice}"


def test_scripts_stay_where_the_user_stands() -> None:
    """Options for all scripts would also move ``pdm run python train.py`` out of its folder."""
    scripts = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pdm"]["scripts"]
    assert "_" not in scripts
    assert isinstance(scripts["train"], str)
