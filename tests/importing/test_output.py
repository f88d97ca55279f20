"""The folder of an import appears whole or not at all."""

import os
import time
from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.importing.output import earlier_import, state, whole


def test_a_folder_is_replaced_only_when_all_went_well(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with whole(out, None) as part:
        (part / "a").write_text("first")
        assert not out.exists()
    assert (out / "a").read_text() == "first"
    failing = whole(out, None)
    with pytest.raises(IsADirectoryError), failing as part:
        part.write_text("a folder cannot be written")
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["a"]
    with whole(out, None) as part:
        (part / "b").write_text("second")
    assert [path.name for path in out.iterdir()] == ["b"]


def test_what_a_killed_import_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, young, foreign = (tmp_path / name for name in (".out.0123abcd.part", ".out.89abcdef.part", ".out.mine.part"))
    for folder in (old, young, foreign):
        folder.mkdir()
    os.utime(old, times=(time.time() - 7200,) * 2)
    with whole(tmp_path / "out", None):
        pass
    assert not old.exists()
    assert young.exists()
    assert foreign.exists()


def test_a_folder_that_is_no_import_is_refused(tmp_path: Path) -> None:
    assert earlier_import(tmp_path / "none", overwrite=False) is None
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="not a folder"):
        earlier_import(tmp_path / "file", overwrite=True)
    (tmp_path / "out").mkdir()
    assert earlier_import(tmp_path / "out", overwrite=False) is None
    (tmp_path / "out" / "import.yaml").write_text("format: other")
    with pytest.raises(UserError, match="not the import.yaml of an import"):
        earlier_import(tmp_path / "out", overwrite=False)


def test_of_two_imports_to_one_folder_at_once_one_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = state(out)
    with whole(out, before) as part:
        with pytest.raises(UserError, match=r"output=.*/out: another command is writing there"), whole(out, before):
            pass
        (part / "import.yaml").touch()
    # Looked at before the other was done.
    with pytest.raises(UserError, match=r"output=.*/out: another import has just written it"), whole(out, before):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with whole(out, state(out)):
        pass
