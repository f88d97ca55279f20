"""Pages that are made again: what is replaced is said, and errors over other cases are not compared."""

import logging
from pathlib import Path

import pytest
from finished_run import run_facts, write_overrides

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Language, ReportConfig
from surrogate_modeling.reporting.content import Content, write_page
from surrogate_modeling.reporting.remaking import remake
from surrogate_modeling.reporting.run_report import run_content


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder = tmp_path_factory.mktemp("run")
    write_overrides(folder, "model=ssm")
    return run_content(folder, run_facts())


def kept(folder: Path, content: Content) -> str:
    folder.mkdir()
    write_page(folder, content, "en")
    return str(folder)


def test_a_page_that_is_replaced_is_said_with_its_language(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, page = kept(tmp_path / "a", content), tmp_path / "a" / "report.html"
    caplog.set_level(logging.INFO)
    remake(ReportConfig(run=run))
    assert f"{page} was there and is replaced\n" in caplog.text
    assert "WARNING" not in caplog.text
    remake(ReportConfig(run=run, language=Language.ja))
    assert (
        f"{page} was there with language=en and is replaced by that of language=ja; output=<another file> keeps both"
    ) in caplog.text
    caplog.clear()
    remake(ReportConfig(run=run, output=str(tmp_path / "new.html")))
    assert "is replaced" not in caplog.text


def test_runs_without_a_common_test_case_are_not_compared(
    content: Content, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, same = kept(tmp_path / "a", content), kept(tmp_path / "b", content)
    other = kept(tmp_path / "c", {**content, "cases": [f"other {name}" for name in content["cases"]]})
    said = "no test case is common to the two runs: their errors are not comparable, and are not ranked"
    remake(ReportConfig(runs=[first, same], output=str(tmp_path / "same.html")))
    assert said not in caplog.text
    remake(ReportConfig(runs=[first, other], output=str(tmp_path / "other.html")))
    assert said in caplog.text


def test_a_folder_that_kept_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no errors\.csv"):
        remake(ReportConfig(run=str(tmp_path)))
