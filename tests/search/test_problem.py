"""Values of a search that no trial could take."""

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ValidationError

from surrogate_modeling.search.problem import SampledConfigs
from surrogate_modeling.search.space import parse_space


class Loader:
    """Composes whatever is typed, but for texts as a width unless the model is ``wide``."""

    def load_sweep_config(self, _: DictConfig, overrides: list[str]) -> DictConfig:
        self.asked = [*getattr(self, "asked", []), overrides]
        given = dict(text.split("=") for text in overrides)
        if not given["width"].isdigit() and given.get("model") != "wide":
            raise ValidationError(f"{given['width']} is no width")
        return OmegaConf.create({"hydra": {"runtime": {"choices": {"model": "narrow"}}}, **given})


def sampled(*arguments: str) -> list[list[str]]:
    loader: Any = Loader()
    SampledConfigs(OmegaConf.create(), loader, parse_space(arguments, {}))
    return [sorted(overrides) for overrides in loader.asked]


def test_a_choice_that_no_trial_could_take_is_refused() -> None:
    with pytest.raises(ValidationError, match="^abc is no width$"):
        sampled("width=choice(16,abc)")


def test_a_choice_that_may_go_with_another_group_is_not() -> None:
    assert ["model=narrow", "width=abc"] in sampled("model=choice(narrow,wide)", "width=choice(16,abc)")


def test_numbers_beside_numbers_are_not_composed() -> None:
    assert sampled("width=choice(16,32,64)") == [["width=16"]]
