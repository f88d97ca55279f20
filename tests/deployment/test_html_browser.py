"""The browser that checks a page, where there is none."""

from pathlib import Path

import pytest
from exported import make

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.html.browser import find_browser
from surrogate_modeling.deployment.html.export import export_html


def test_without_a_browser_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UserError, match=r"apt install chromium.*browser=<path>.*check=false"):
        find_browser()
    with pytest.raises(UserError, match="browser=/none: no such program"):
        export_html(make("nss"), tmp_path / "a.html", browser="/none")
    assert list(tmp_path.iterdir()) == []
