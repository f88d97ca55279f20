"""Keys that are added on the command line, and are in no schema."""

import pytest
from builders import composed
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.commands import PredictConfig
from surrogate_modeling.config.composition import register_schemas, to_command, to_config

CSV = ("dataset=csv", "dataset.path=x", "dataset.controls=2")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+dataset.target=[torque]", "dataset.target: no such key; did you mean targets? known: name, path"),
        ("++model.max_minute=4", "model.max_minute: no such key; known: name, heads"),
        ("+settings.foo=1", "settings.foo: no such key; known: is_debug"),
        ("+setings.lr=1", "setings: no such key; did you mean settings? known: dataset"),
    ],
)
def test_a_typo_is_refused_as_it_is_without_a_plus(override: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        to_config(composed(*CSV, "model=dot", override))
    assert str(caught.value).startswith(said)


def test_keys_that_are_there_and_entries_of_dictionaries_may_have_it() -> None:
    config = to_config(
        composed(*CSV, "+search=dot", "++settings.lr=0.5", "model=auto", "+model.recipes.ssm={lr: 0.25}")
    )
    assert config.settings.lr == 0.5
    assert config.model.recipes["ssm"] == {"lr": 0.25}  # type: ignore[attr-defined]


def test_other_commands() -> None:
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        tree = compose("predict", ["+case=x.csv"])
    with pytest.raises(UserError, match=r"^case: no such key; did you mean cases\? known: "):
        to_command(tree, PredictConfig)
