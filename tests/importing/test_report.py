"""The command that trains on the cases, as the shell and Hydra read it."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from surrogate_modeling.config.import_keys import CaseFormat, ImportConfig
from surrogate_modeling.importing.import_plan import ImportPlan, PlannedColumn
from surrogate_modeling.importing.records import CaseRecord, FileRecord
from surrogate_modeling.importing.report import NextCommands, next_commands
from surrogate_modeling.importing.text_columns import TextMap


def commands(config: ImportConfig, plan: ImportPlan, folder: str, groups: str = "-") -> NextCommands:
    """What comes after an import of a file of each group, with rows every 10, 11, 12, ... s."""
    records = [
        FileRecord(f"{i}.txt", f"{i}", "", (CaseRecord(f"{i}", 5, 10.0 + i),), group.strip("-"))
        for i, group in enumerate(groups)
    ]
    return next_commands(config, plan, Path(folder), records)


def command(names: list[str], folder: str = "out", **keys: object) -> dict[str, object]:
    """Keys and values of the command for controls of these names."""
    columns = (*(PlannedColumn(name, "K", "control") for name in names), PlannedColumn("y", "K", "predicted"))
    plan = ImportPlan(("t",), "s", columns, {}, (), None)
    words = shlex.split(commands(ImportConfig(**keys), plan, folder).train)  # type: ignore[arg-type]
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
    controls = """'dataset.controls=["m=a","m=b","m=c",d]'"""
    assert commands(ImportConfig(), plan, "out") == NextCommands(
        f"pdm run look dataset.path=out {controls}",
        f"pdm run train dataset=csv dataset.path=out {controls} 'dataset.parameters=[d]' "
        "settings.decimate_range=10 model=auto",
    )


OPEN = ImportPlan(("t",), "s", (PlannedColumn("y", "K"),), {}, (), None)


def test_open_roles_are_found_out_by_the_look() -> None:
    then = commands(ImportConfig(), OPEN, "out", "---")
    assert then.look == "pdm run look dataset.path=out"
    # Rows every 10, 11 and 12 s.
    assert then.train == (
        "pdm run train dataset=csv dataset.path=out 'dataset.controls=<columns>' settings.decimate_range=11 model=auto"
    )


@pytest.mark.parametrize(("groups", "said"), [("aab", True), ("aaa", False), ("a-b", False)])
def test_groups_are_trained_with(groups: str, said: bool) -> None:
    assert (" dataset.groups=out/cases.csv " in commands(ImportConfig(), OPEN, "out", groups).train) == said
