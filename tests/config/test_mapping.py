"""Dictionaries by column as people type them: read by Hydra where it can, and as text where it cannot."""

import math
from typing import Any

import pytest
from builders import composed
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_command, to_config, to_plan
from surrogate_modeling.config.mapping import mapping_of
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.config.quoting import quoted

TYPED = [
    ("{T out: 10}", {"T out": 10}),
    ("{圧力: 10}", {"圧力": 10}),
    ("{弁 開度: 1e-3}", {"弁 開度": 0.001}),
    ("{P [bar]: 10, Q [x]: 3}", {"P [bar]": 10, "Q [x]": 3}),
    ("{p(1): 10}", {"p(1)": 10}),
    ("{T_°C: 0.5}", {"T_°C": 0.5}),
    ('{"圧力": 10}', {"圧力": 10}),
    ("{\"valve, left\": 1, 'a: b': 2}", {"valve, left": 1, "a: b": 2}),
]


def command(name: str, *arguments: str) -> Any:
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose(name, quoted(arguments))


@pytest.mark.parametrize(("typed", "read"), TYPED)
def test_names_of_any_script_are_keys_of_optimise_and_plan(typed: str, read: dict[str, Any]) -> None:
    given = ["surrogate=s", "case=c", "output=o", f"objective={typed}"]
    config = to_command(command("optimise", *given, f"rates={typed}"), OptimiseConfig)
    assert (config.objective, config.rates, config.limits) == (read, read, None)
    plan = to_plan(command("plan", "surrogate=s", "output=o", f"inputs={typed}", f"rates={typed}"))
    assert (plan.inputs, plan.rates) == (read, read)


def test_what_is_said_of_a_column_arrives_as_it_does_for_a_plain_name() -> None:
    given = ["surrogate=s", "case=c", "output=o", "objective={圧力: maximise mean}", "bounds={圧力: [null, 3.5]}"]
    config = to_command(command("optimise", *given), OptimiseConfig)
    assert (config.objective, config.bounds) == ({"圧力": "maximise mean"}, {"圧力": [None, 3.5]})
    with pytest.raises(UserError, match="objective={圧力: must be a dictionary of columns, as in 'objective="):
        to_command(command("optimise", *given[:3], "objective={圧力"), OptimiseConfig)


def test_columns_of_a_simulator() -> None:
    given = quoted([
        "dataset=command", "dataset.command=x", "dataset.path=x", "dataset.inputs={弁 [%]: {range: [0, 1]}}",
        "dataset.parameter_ranges={長さ: [1, 2]}", "dataset.units={弁 [%]: '%'}",
        "dataset.import_keys={text: {運転: {on: 1}}}",
    ])  # fmt: skip
    dataset = to_config(composed(*given)).dataset
    keys = ("inputs", "parameter_ranges", "units", "import_keys")
    assert [getattr(dataset, key) for key in keys] == [
        {"弁 [%]": {"range": [0, 1]}}, {"長さ": [1, 2]}, {"弁 [%]": "%"}, {"text": {"運転": {"on": 1}}},
    ]  # fmt: skip
    plain = to_config(composed(*given[:3], "dataset.units={a: K}", "dataset.import_keys={decimal: ','}")).dataset
    assert [getattr(plain, key) for key in keys] == [None, None, {"a": "K"}, {"decimal": ","}]


def test_values_are_read_as_hydra_reads_them() -> None:
    text = "{°: on, b: 12:30, c: 2020-01-01, d: 010, e: -2, f: .5, g: inf, h: True, i: null, j:bar}"
    assert mapping_of(text) == {
        "°": "on", "b": "12:30", "c": "2020-01-01", "d": "010", "e": -2, "f": 0.5, "g": math.inf, "h": True, "i": None,
        "j": "bar",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["{a", "text", "{圧力: *x}", "[1, 2]", 3, None, {"a": 1}])
def test_what_is_no_dictionary_stays_what_it_is(value: object) -> None:
    assert mapping_of(value) == value
