"""What a comparison refuses before its first training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.comparison import loop
from surrogate_modeling.comparison.loop import Comparison
from surrogate_modeling.comparison.pairs import compose_pairs
from surrogate_modeling.config.commands import CompareConfig, Config
from surrogate_modeling.config.composition import register_schemas


def comparison(folder: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> Comparison:
    """With cases that are known by the name of their folder, none of which is read."""

    def load_cases(config: Config) -> SimpleNamespace:
        return SimpleNamespace(fingerprint=str(config.dataset.path))  # type: ignore[attr-defined]

    def learn_nothing(_: object) -> None:
        """Counting cases would read them."""

    monkeypatch.setattr(loop, "load_cases_once", load_cases)
    monkeypatch.setattr(loop, "check_counts", learn_nothing)
    register_schemas()
    GlobalHydra.instance().clear()
    config = CompareConfig(**{"models": ["don"], "recipes": ["stable"], "seeds": [1, 2], **keys})
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        pairs = compose_pairs(config, ["dataset=csv", "dataset.path=cases", "dataset.controls=2"])
    report: Any = SimpleNamespace()
    return Comparison(config, pairs, folder, report)


@pytest.mark.parametrize(
    ("keys", "twins"),
    [
        ({"models": ["don", "don model.width=64"]}, "don with stable, and don model.width=64 with stable,"),
        ({"pairs": ["don stable settings.num_figures=3"]}, "don with stable, and don with stable settings.num_figures=3,"),
    ],
)  # fmt: skip
def test_one_training_in_two_words_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], twins: str
) -> None:
    """It would be a row of two seeds without any spread. 64 is the width that don has."""
    with pytest.raises(UserError) as refused:
        comparison(tmp_path, monkeypatch, **keys).run()
    assert str(refused.value) == (
        f"{twins} are the same training: they differ in nothing that changes its result; give one of them"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_same_configuration_on_other_cases_is_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = comparison(tmp_path, monkeypatch, recipes=["stable", "stable dataset.path=others"])

    class Begun(Exception):
        """The checks are over."""

    def begin() -> None:
        raise Begun

    monkeypatch.setattr(pairs, "_parent_run", begin)
    with pytest.raises(Begun):
        pairs.run()
    assert len(set(pairs.digests.values())) == 4
