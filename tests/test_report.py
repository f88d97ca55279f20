"""``pdm run report`` as users run it, and its refusals."""

from pathlib import Path

import pytest
from builders import run_command
from finished_run import run_facts, write_overrides

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import ReportConfig
from surrogate_modeling.reporting.content import write_page
from surrogate_modeling.reporting.request import check_references, output_file
from surrogate_modeling.reporting.run_report import run_content

REPORT = str(PROJECT_ROOT / "src" / "surrogate_modeling" / "report.py")


@pytest.mark.slow
def test_a_page_is_made_again_and_two_stand_side_by_side(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_overrides(tmp_path / name, "model=ssm")
        write_page(tmp_path / name, run_content(tmp_path / name, run_facts()), "en")
    before = (tmp_path / "a" / "report.html").read_bytes()
    (tmp_path / "a" / "report.html").unlink()
    done = run_command(tmp_path, [REPORT], f"run={tmp_path / 'a'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "report.html").read_bytes() == before
    done = run_command(
        tmp_path, [REPORT], f"runs=[{tmp_path / 'a'},{tmp_path / 'b'}]", "language=ja", "output=both.html"
    )
    assert done.returncode == 0, done.stderr
    assert "2つの実行の比較" in (tmp_path / "both.html").read_text(encoding="utf-8")
    done = run_command(tmp_path, [REPORT], f"run={tmp_path / 'nowhere'}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: run={tmp_path / 'nowhere'}: no such folder")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "give run=<run id or folder>"),
        ({"run": "a", "runs": ["a", "b"]}, "give run=<run id or folder>"),
        ({"runs": ["a"]}, "two runs are put side by side"),
        ({"run": "nowhere"}, "run=nowhere: no such folder"),
        ({"runs": [".", "nowhere"]}, "runs=nowhere: no such folder"),
        ({"run": ".", "output": "there.html"}, "output=there.html: is there"),
        ({"run": ".", "output": "no/page.html"}, "there is no folder no"),
    ],
)
def test_refusals(keys: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.html").touch()
    with pytest.raises(UserError, match=message):
        check_references(ReportConfig(**keys))  # type: ignore[arg-type]


def test_the_page_goes_into_the_folder_of_the_run_or_here(tmp_path: Path) -> None:
    assert output_file(ReportConfig(run=str(tmp_path))) == tmp_path / "report.html"
    assert output_file(ReportConfig(run="0123456789abcdef" * 2)) == Path("report-01234567.html")
    assert output_file(ReportConfig(run=str(tmp_path), output="x.html")) == Path("x.html")
