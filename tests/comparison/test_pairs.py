"""The trainings of a comparison: every model with every recipe, fraction and seed, and what is refused."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.comparison.pairs import Pair, compose_pairs, passed_on
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.config.composition import register_schemas

DATASET = ["dataset=csv", "dataset.path=cases", "dataset.controls=2"]


def pairs(common: list[str] | None = None, **keys: object) -> list[Pair]:
    register_schemas()
    GlobalHydra.instance().clear()
    plain = dict(models=["don"], recipes=["default"], seeds=[1])
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose_pairs(CompareConfig(**{**plain, **keys}), [*DATASET, *(common or [])])  # type: ignore[arg-type]


def test_every_model_meets_every_recipe_and_seed_and_each_entry_may_differ() -> None:
    found = pairs(
        ["settings.epochs=7"], models=["don", "ssm model.base=level"], recipes=["default", "stable settings.epochs=9"],
        seeds=[1, 2], pairs=["lstm model.dim=8 quick settings.in_len=5"], minutes=3.0,
    )  # fmt: skip
    assert [str(pair) for pair in found] == [
        *(f"{m}, {r}, seed {s}" for m in ("don", "ssm model.base=level") for r in ("default", "stable settings.epochs=9") for s in (1, 2)),
        *(f"lstm model.dim=8, quick settings.in_len=5, seed {s}" for s in (1, 2)),
    ]  # fmt: skip
    by_name = {str(pair): pair.config for pair in found}
    assert by_name["don, default, seed 2"].settings.epochs == 7
    assert by_name["don, default, seed 2"].settings.seed == 2
    assert by_name["don, default, seed 2"].settings.max_minutes == 3.0
    assert by_name["don, stable settings.epochs=9, seed 1"].settings.epochs == 9
    assert by_name["don, stable settings.epochs=9, seed 1"].settings.horizon == 600
    assert by_name["ssm model.base=level, default, seed 1"].model.base.value == "level"
    own = by_name["lstm model.dim=8, quick settings.in_len=5, seed 1"]
    assert (own.model.dim, own.settings.in_len, own.settings.horizon) == (8, 5, 300)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(models=["donn"]), "donn with default: model=donn: no such file in hydra/model/; known: auto, bt, dol, don, dot, lstm, nss, ssm"),
        (dict(models=["don", "dot model.widht=3"]), "dot model.widht=3 with default: model.widht: no such key; did you mean width?"),
        (dict(recipes=["default settings.out_len=99"]), "don with default settings.out_len=99: settings.out_len=99: must be at most"),
        (dict(recipes=[" "]), "recipes: an empty entry"),
        (dict(models=["don 'x"]), "No closing quotation"),
        (dict(pairs=["don"]), "pairs: 'don': a model and a recipe"),
        (dict(models=["don", "don"]), "given more than once: don with default"),
        (dict(seeds=[1, 1]), "given more than once: seeds"),
        (dict(seeds=[-1]), "don with default: settings.seed=-1: must be at least 0"),
        (dict(recipes=["default settings.seed=3"]), "don with default settings.seed=3: settings.seed=3: one entry cannot have its own; give seeds=[...]"),
        (dict(pairs=["lstm ++settings.seed=3 quick"]), "lstm ++settings.seed=3 with quick: ++settings.seed=3: one entry cannot have its own; give seeds=[...]"),
        (dict(models=["don dataset.training_fraction=0.5"]), "dataset.training_fraction=0.5: one entry cannot have its own; give fractions=[...]"),
        (dict(seeds=[]), "seeds=[]: must not be empty"),
        (dict(models=[]), "nothing to compare"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pair_is_said_before_anything_is_trained(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        pairs(**keys)
    assert said in str(refusal.value)


def test_a_learning_curve_trains_the_largest_fraction_first_and_it_is_the_plain_comparison() -> None:
    found = pairs(seeds=[1, 2], fractions=[0.1, 1.0, 0.5])
    assert [str(pair) for pair in found] == [
        "don, default, seed 1", "don, default, seed 2",
        "don, default, seed 1, 50 % of the cases", "don, default, seed 2, 50 % of the cases",
        "don, default, seed 1, 10 % of the cases", "don, default, seed 2, 10 % of the cases",
    ]  # fmt: skip
    assert [pair.config.dataset.training_fraction for pair in found] == [1.0, 1.0, 0.5, 0.5, 0.1, 0.1]
    assert found[0].digest("f") == pairs()[0].digest("f")
    assert len({pair.digest("f") for pair in found}) == 6


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(fractions=[0.5, 1.0]), "fractions=[0.5, 1.0]: a learning curve needs three at least"),
        (dict(fractions=[0.0, 0.5, 1.0]), "fractions=[0.0, 0.5, 1.0]: must be fractions of the training cases"),
        (dict(fractions=[0.5, 0.5, 1.0]), "given more than once"),
        (dict(fractions=[0.1, 0.5, 1.0], seeds=[1]), "seeds=[1]: a learning curve needs two at least"),
        (dict(goal=0.1), "goal=0.1: needs a learning curve"),
        (dict(fractions=[0.1, 0.5, 1.0], goal=0.0), "goal=0.0: must be an error above 0"),
    ],
)
def test_what_is_wrong_with_a_learning_curve_is_said(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        pairs(**{"seeds": [1, 2], **keys})
    assert said in str(refusal.value)


def test_overrides_of_dataset_and_settings_hold_for_all() -> None:
    assert passed_on(["models=[don]", "dataset=csv", "+dataset.x=1", "settings.lr=1", "output=x", "minutes=3"]) == [
        "dataset=csv", "+dataset.x=1", "settings.lr=1",
    ]  # fmt: skip
    for override in ("settings=stable", "settings.seed=3", "settings.max_minutes=1", "dataset.training_fraction=1"):
        with pytest.raises(UserError, match="give "):
            passed_on([override])


def test_a_result_is_known_by_what_it_depends_on() -> None:
    (plain,) = pairs()
    same = pairs(["settings.workers=1", "settings.num_figures=3", "settings.progress_bar=False"])[0]
    elsewhere = pairs(["dataset.path=moved"])[0]
    assert plain.digest("f") == same.digest("f") == elsewhere.digest("f")
    others = [
        pairs(["settings.lr=0.5"])[0], pairs(seeds=[2])[0], pairs(minutes=1.0)[0], pairs(models=["don model.width=3"])[0],
        pairs(["dataset.split=last"])[0],
    ]  # fmt: skip
    assert len({plain.digest("f"), plain.digest("g"), *(pair.digest("f") for pair in others)}) == 7
