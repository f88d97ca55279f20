"""The shipped YAML, overridden: a checked configuration, or a refusal that names the key."""

import pytest
from builders import composed
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.refusals import configuration_message
from surrogate_modeling.config.settings import Criterion

CSV = ("dataset=csv", "dataset.path=x", "dataset.controls=2")


def test_the_recipe_of_the_study() -> None:
    config = to_config(composed(*CSV))
    wanted = {
        "is_debug": False, "use_decimate": True, "decimate_range": 1.0, "in_len": 10, "out_len": 1, "seed": 42,
        "epochs": 500, "batch_size": 1024, "lr": 0.001, "criterion": Criterion.mse, "is_save_model": False,
        "mlflow_exp_name": "pytorch_lightning_test", "patience": 50,
    }  # fmt: skip
    assert {key: getattr(config.settings, key) for key in wanted} == wanted
    dot = {
        "heads": 8, "fc_dim": 1024, "trunk_depth": 2, "trunk_dim": 256, "branch_depth": 2, "branch_dim": 128,
        "width": 32, "dropout": 0.0, "emb_dropout": 0.5,
    }  # fmt: skip
    assert {key: getattr(config.model, key) for key in dot} == dot


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("dol", {"trunk_depth": 4, "trunk_dim": 64, "branch_depth": 2, "branch_dim": 128, "width": 64, "dropout": 0.1}),
        ("don", {"trunk_depth": 3, "trunk_dim": 64, "branch_depth": 2, "branch_dim": 128, "width": 64}),
        ("bt", {"dim": 256, "depth": 4, "heads": 2, "fc_dim": 512, "dropout": 0.0, "emb_dropout": 0.5}),
        ("lstm", {"dim": 512, "depth": 2, "dropout": 0.1}),
    ],
)
def test_the_networks_of_the_study(model: str, sizes: dict[str, float]) -> None:
    assert vars(to_config(composed(*CSV, f"model={model}")).model) == {"name": model, **sizes}


def test_overrides_of_the_study() -> None:
    config = to_config(composed(*CSV, "model.width=64", "settings.mlflow_exp_name=dot_test", "settings.criterion=l1"))
    assert (config.model.width, config.settings.mlflow_exp_name) == (64, "dot_test")
    assert config.settings.criterion is Criterion.l1


def test_counts_and_fractions_keep_their_kind() -> None:
    dataset = to_config(composed(*CSV, "dataset.validation=2", "dataset.test=0.25")).dataset
    assert (type(dataset.validation), type(dataset.test)) == (int, float)


def test_missing_values_are_named() -> None:
    with pytest.raises(UserError, match=r"^dataset.controls, dataset.path: no value given"):
        to_config(composed("dataset=csv"))


def test_a_group_without_its_schema_is_refused() -> None:
    tree = composed(*CSV)
    OmegaConf.set_struct(tree, False)
    tree.model = {"name": "mine", "width": 3}
    with pytest.raises(UserError, match="^model: the chosen YAML is not checked"):
        to_config(tree)


def test_flat_parameters() -> None:
    flat = to_config(composed(*CSV, "dataset.targets=[a,b]")).flat()
    assert flat["settings.criterion"] == "mse"
    assert flat["dataset.targets"] == ["a", "b"]
    assert flat["model.heads"] == 8


KEYS = [f"{group}.{key}" for group in ("dataset", "model", "settings") for key in composed(*CSV)[group]]
VALUES = [
    "null", "true", "0", "-1", "1", "2.5", "1e400", "nan", "inf", "abc", "''", "[]", "[1,2]", "[null]", "[[a]]",
    "{a:1}", "a=b", "${nowhere}", "${oc.env:NO_SUCH}", "\"'\"", "圧力", "1_000", "???", "9" * 30,
]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), min_size=1, max_size=2))
def test_any_value_of_any_key_passes_or_is_refused_in_one_line(pairs: list[tuple[str, str]]) -> None:
    try:
        to_config(composed(*CSV, *(f"{key}={value}" for key, value in pairs)))
    except UserError as error:
        assert "\n" not in str(error)
    except (HydraException, OmegaConfBaseException) as error:
        message = configuration_message(error)
        assert message
        assert "\n" not in message
