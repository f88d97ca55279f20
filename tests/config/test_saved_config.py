"""The flat configuration of a training becomes the same dataclasses again."""

import pytest
from builders import composed

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.saved_config import unflattened


def test_the_configuration_of_a_portfolio_comes_back() -> None:
    config = to_config(composed("model=auto", "settings.lr=0.5", "+model.recipes.ssm={lr: 0.25}"))
    assert unflattened(config.flat()) == config


def test_what_is_missing_or_unknown_is_told() -> None:
    flat = to_config(composed("model=don")).flat()
    with pytest.raises(UserError, match="the configuration in the surrogate's file does not do"):
        unflattened({**flat, "settings.learning": 1})
    with pytest.raises(UserError, match="the configuration in the surrogate's file does not do"):
        unflattened({})
