"""Values as people type them, read back by Hydra's own parser."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from surrogate_modeling.config.quoting import listed, quoted, train_command


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("データ/夏 2026", "データ/夏 2026"),
        ("~/cases", "~/cases"),
        ("it's", "it's"),
        ("p(1)", "p(1)"),
        ("a=b", "a=b"),
        ("x;y&z#1", "x;y&z#1"),
        ("{a", "{a"),
        ("データ\\", "データ\\"),
        ("C:\\データ\\it's", "C:\\データ\\it's"),
        ("[圧力,T out]", ["圧力", "T out"]),
        ("['圧力',T]", ["圧力", "T"]),
        # What Hydra reads stays what it reads.
        ("my cases", "my cases"),
        ("3", 3),
        ("null", None),
        ("'1'", "1"),
        ("[1,a b]", [1, "a b"]),
    ],
)
def test_a_value_arrives_as_typed(typed: str, value: object) -> None:
    (argument,) = quoted([f"dataset.path={typed}"])
    read = OverridesParser.create().parse_override(argument)
    assert read.key_or_group == "dataset.path"
    got = read.value()
    assert (list(map(str, got)) if isinstance(got, list) and value != [1, "a b"] else got) == value


@pytest.mark.parametrize("argument", ["choice(データ,b)", "${oc.env:ケース", "range(1,"])
def test_a_fault_in_hydras_own_syntax_stays_one(argument: str) -> None:
    assert quoted([f"model.width={argument}"]) == [f"model.width={argument}"]


def test_options_and_words_without_a_value_are_left_alone() -> None:
    assert quoted(["-m", "--config-dir=データ", "データ"]) == ["-m", "--config-dir=データ", "データ"]


@pytest.mark.parametrize(
    "names",
    [["valve", "T.out"], ["弁 1", 'say "x"', "a,b"], ["null", "True", "1e5", "1"], ["a\\", "x[1]", "it's", "$x"]],
)
def test_a_list_of_names_is_read_as_it_is(names: list[str]) -> None:
    read = OverridesParser.create().parse_override(f"dataset.controls={listed(names)}").value()
    assert read == names
    assert all(isinstance(name, str) for name in read)


def test_the_command_that_trains() -> None:
    assert train_command(["dataset.controls=[u]"], 0.25, "settings.in_len=5") == (
        "pdm run train dataset=csv 'dataset.controls=[u]' settings.decimate_range=0.25 settings.in_len=5 model=auto"
    )
    assert train_command(["dataset=refrigerant"], 20.0) == (
        "pdm run train dataset=refrigerant settings.decimate_range=20 model=auto"
    )
