"""Where caches and locks go."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from surrogate_modeling.common import paths
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT, cache_folder, expanded


@pytest.fixture(autouse=True)
def found_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder is looked for once per process; temporary files of these tests lie in a folder of their own."""
    cache_folder.cache_clear()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield
    cache_folder.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="each system has a place of its own")
def test_the_users_folder_is_taken_and_the_environment_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "surrogate_modeling"
    cache_folder.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other" / "surrogate_modeling"
    assert cache_folder().is_dir()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users by number")
def test_a_user_without_a_home_gets_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "none"))
    folder = cache_folder()
    assert folder == tmp_path / "tmp" / f"surrogate_modeling-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    cache_folder.cache_clear()
    assert cache_folder() == folder
    # Another user could put code into it that this one would run.
    folder.chmod(0o777)
    cache_folder.cache_clear()
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        cache_folder()


def test_nothing_is_kept_in_the_project(tmp_path: Path) -> None:
    """Every place for caches and locks, as a fresh process finds it."""
    code = (
        "from surrogate_modeling.cases.folder import CACHE_FOLDER\n"
        "from surrogate_modeling.refrigerant.compilation import code_folder\n"
        "from surrogate_modeling.search.storage import lock_folder\n"
        "print(CACHE_FOLDER, code_folder(), lock_folder(), sep='\\n')\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT_ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    places = [Path(line) for line in done.stdout.splitlines()]
    assert len(places) == 3
    assert all(place.is_relative_to(tmp_path / paths.NAME) for place in places)


def test_a_home_folder_that_is_not_there_is_refused_by_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a", "output") == tmp_path / "a"
    assert expanded("a/~b", "output") == Path("a/~b")
    with pytest.raises(UserError, match="^output=~no_such_user/x: there is no such home folder"):
        expanded("~no_such_user/x", "output")
