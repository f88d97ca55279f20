"""Tables that a run keeps: what is read, and that a damaged one is refused by its line."""

import math
from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import ReportConfig
from surrogate_modeling.reporting.kept_tables import read_table
from surrogate_modeling.reporting.older import older_content
from surrogate_modeling.reporting.request import local_folder, output_file
from surrogate_modeling.tracking.stored_run import StoredRun

HEAD = "case,training_distance,ADE/std T\n"


def test_cells_are_text_or_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('case,a\n\'=x,0.5\n"two\nlines",\nlast,1\n', encoding="utf-8")
    head, lines = read_table(tmp_path, "t.csv")
    assert head == ["case", "a"]
    assert [(line.number, line.cells[0]) for line in lines] == [(2, "=x"), (4, "two\nlines"), (5, "last")]
    assert (lines[0].value(1), lines[2].value(1)) == (0.5, 1.0)
    assert math.isnan(lines[1].value(1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "errors.csv: is empty"),
        (HEAD.encode(), "errors.csv, line 1: columns 'ADE/std ...' and a line per case are expected"),
        (b"c1,0.1,0.2\nc2,0.1,0.2\n", "errors.csv, line 1: columns 'ADE/std ...'"),
        (f"{HEAD}c1,0.1,0.2\nc2,0.1,x.y\n".encode(), "errors.csv, line 3: 'x.y' is no number"),
        (f"{HEAD}c1,near,0.2\n".encode(), "errors.csv, line 2: 'near' is no number"),
        (f"{HEAD}c1,0.1\n".encode(), "errors.csv, line 2: 2 cells, 3 are expected"),
        (f"{HEAD}夏,0.1,0.2\n".encode("cp932"), "errors.csv, line 2: is not UTF-8"),
    ],
)
def test_damaged_errors_of_an_older_run_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "errors.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        older_content(tmp_path, StoredRun("x", {}, {}, {}), "x")
    assert str(caught.value).startswith(f"{tmp_path}: {said}")
    assert "give another run" in str(caught.value)


def test_other_damaged_files_of_an_older_run_are_refused(tmp_path: Path) -> None:
    (tmp_path / "errors.csv").write_text(f"{HEAD}c1,0.1,0.2\n", encoding="utf-8")
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "loss_T_ADE.csv").write_text("case,ADE [K]\nc1,?\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"loss_T_ADE.csv, line 2: '\?' is no number"):
        older_content(tmp_path, StoredRun("x", {}, {}, {}), "x")
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("model: {", encoding="utf-8")
    with pytest.raises(UserError, match=r"config.yaml: while parsing"):
        older_content(tmp_path, StoredRun("x", {}, {}, {}), "x")


def test_home_folders_that_are_not_there_are_refused_by_their_key() -> None:
    with pytest.raises(UserError, match="^output=~no_such_user/x: there is no such home folder"):
        output_file(ReportConfig(run="x", output="~no_such_user/x"))
    with pytest.raises(UserError, match="^runs=~no_such_user: there is no such home folder"):
        local_folder("runs", "~no_such_user")
