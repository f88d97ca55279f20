"""The command that trains on the cases, as the shell and Hydra read it."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from surrogate_modeling.config.import_keys import CaseFormat, ImportConfig
from surrogate_modeling.importing.import_plan import ImportPlan, PlannedColumn
from surrogate_modeling.importing.report import train_command
from surrogate_modeling.importing.text_columns import TextMap


def command(names: list[str], folder: str = "out", **keys: object) -> dict[str, object]:
    """Keys and values of the command for controls of these names."""
    columns = (*(PlannedColumn(name, "K", "control") for name in names), PlannedColumn("y", "K", "predicted"))
    plan = ImportPlan(("t",), "s", columns, {}, (), None)
    words = shlex.split(train_command(ImportConfig(**keys), plan, Path(folder)))  # type: ignore[arg-type]
    assert words[:4] == ["pdm", "run", "train", "dataset=csv"]
    parsed = OverridesParser.create().parse_overrides(words[4:])
    return {override.key_or_group: override.value() for override in parsed}


@pytest.mark.parametrize("names", [["u"], ["u", "v 2"], ["a.b", "m=heat"], ["x[1]", "f(x)"], ["it's", "a,b"]])
def test_names_arrive_as_they_are(names: list[str]) -> None:
    found = command(names, targets=["y"])
    assert found["dataset.controls"] == names
    assert found["dataset.targets"] == ["y"]
    assert found["dataset.path"] == "out"


def test_folders_with_blanks_and_parquet() -> None:
    found = command(["u"], "/my cases/out", format=CaseFormat.parquet)
    assert (found["dataset.path"], found["dataset.pattern"]) == ("/my cases/out", "*.parquet")


def test_modes_and_parameters_are_controls() -> None:
    columns = (
        PlannedColumn("m", "-", "control", TextMap("m", {}, ("a", "b", "c"))),
        PlannedColumn("y", "K", "predicted"),
    )
    plan = ImportPlan(("t",), "s", columns, {"d": "mm"}, (), None)
    assert train_command(ImportConfig(), plan, Path("out")) == (
        'pdm run train dataset=csv dataset.path=out \'dataset.controls=["m=a","m=b","m=c",d]\' '
        "'dataset.parameters=[d]'"
    )
