"""From the configuration to cases: what the dataset group asks for is what is read."""

import logging
from pathlib import Path

import numpy as np
import pytest
from builders import composed, smooth_values, write_cases, write_table

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config import debug
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.experiment.dataset import load_cases


def load(path: Path | str, *overrides: str) -> CaseSet:
    tree = composed("dataset=csv", "dataset.controls=2", *overrides)
    tree.dataset.path = str(path)
    return load_cases(to_config(tree))


def test_decimation_and_pattern(tmp_path: Path) -> None:
    write_cases(tmp_path, 3, rows=41, step=0.5)
    assert load(tmp_path).step == 1.0
    assert [len(case.time) for case in load(tmp_path, "settings.decimate_range=2").cases] == [11, 12, 13]
    assert load(tmp_path, "settings.use_decimate=False").step == 0.5
    assert [case.name for case in load(tmp_path, "dataset.pattern='*[02].csv'").cases] == ["case0", "case2"]


def test_a_case_that_diverged_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cases(tmp_path, 5)
    values = smooth_values(40)
    values[30:, 3] = 4e9
    write_table(tmp_path / "bad.csv", np.arange(40.0), values)
    with caplog.at_level(logging.WARNING):
        case_set = load(tmp_path)
    highest = max(case.column(3).max() for case in case_set.cases if case.name != "bad")
    assert caplog.messages == [
        f"bad: reaches 4e+09 bar in column 'p', the other cases at most {highest:.4g} bar: did it diverge? Move its "
        "file out of dataset.path to leave it out"
    ]


def test_debug_reads_few_and_short_cases_but_never_less_than_a_window(tmp_path: Path) -> None:
    write_cases(tmp_path, debug.MAX_CASES + 2, rows=debug.MAX_ROWS + 100)
    cases = load(tmp_path, "settings.is_debug=True").cases
    assert [len(case.values) for case in cases] == [debug.MAX_ROWS] * debug.MAX_CASES
    cases = load(tmp_path, "settings.is_debug=True", f"settings.in_len={debug.MAX_ROWS + 50}").cases
    assert [len(case.values) for case in cases] == [debug.MAX_ROWS + 51] * debug.MAX_CASES


def test_groups(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases", 3)
    table = tmp_path / "groups.csv"
    table.write_text("case,group\ncase0,a\ncase1,b\ncase2,a\nother,c\n\n", encoding="utf-8-sig")
    cases = load(tmp_path / "cases", f"dataset.groups={table}").cases
    assert [case.unit for case in cases] == ["a", "b", "a"]
    assert [case.unit for case in load(tmp_path / "cases").cases] == [None] * 3
    table.write_text("case,group\ncase0,a\n", encoding="utf-8")
    with pytest.raises(UserError, match="no line for case1, case2"):
        load(tmp_path / "cases", f"dataset.groups={table}")


@pytest.mark.parametrize("body", [b"case,group\ncase0\n", "case,group\n圧,a\n".encode("cp932"), b"", None])
def test_group_files_that_cannot_be_used(tmp_path: Path, body: bytes | None) -> None:
    write_cases(tmp_path / "cases", 1)
    if body is not None:
        (tmp_path / "groups.csv").write_bytes(body)
    with pytest.raises(UserError, match="^dataset.groups="):
        load(tmp_path / "cases", f"dataset.groups={tmp_path / 'groups.csv'}")


@pytest.mark.parametrize("key", ["path", "groups"])
def test_a_home_that_is_not_there(tmp_path: Path, key: str) -> None:
    write_cases(tmp_path, 1)
    path, overrides = ("~no_such_user/x", []) if key == "path" else (tmp_path, ["dataset.groups='~no_such_user/x'"])
    with pytest.raises(UserError, match=f"^dataset.{key}=~no_such_user/x: "):
        load(path, *overrides)
