"""The folder of a command's results: made, kept, removed when empty, and refused."""

from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import LOCK, held, made_folder, output_folder


def test_it_stays_with_a_result_and_goes_without(tmp_path: Path) -> None:
    with output_folder(str(tmp_path / "a/b"), "r.csv", overwrite=False) as folder:
        (folder / "r.csv").touch()
    assert (tmp_path / "a/b/r.csv").exists()
    with pytest.raises(ValueError, match="stopped"), output_folder(str(tmp_path / "c"), "r.csv", overwrite=False):
        raise ValueError("stopped")
    assert not (tmp_path / "c").exists()


def test_an_earlier_result_and_a_file_in_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").touch()
    with (
        pytest.raises(UserError, match="holds an earlier result"),
        output_folder(str(tmp_path), "r.csv", overwrite=False),
    ):
        pass
    with output_folder(str(tmp_path), "r.csv", overwrite=True) as folder:
        assert folder == tmp_path
    with pytest.raises(UserError, match="give a folder"), output_folder(str(tmp_path / "r.csv"), "x", overwrite=True):
        pass


def test_a_folder_is_made_below_the_home_and_with_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert made_folder("~/a", "csv") == made_folder(tmp_path / "a") == tmp_path / "a"
    assert (tmp_path / "a/csv").is_dir()
    (tmp_path / "a/file").touch()
    with pytest.raises(UserError, match=r"output=~/a/file: .*; give a folder that can be written"):
        made_folder("~/a/file", "csv")


def test_a_home_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="output=~no_such_user/x: there is no such home folder"):
        made_folder("~no_such_user/x")


def test_two_commands_do_not_write_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with output_folder(str(out), "r.csv", overwrite=False):
        with (
            pytest.raises(UserError, match=r"output=.*/out: another command is writing there; wait for it, or give"),
            output_folder(str(out), "r.csv", overwrite=True),
        ):
            pass
        (out / "r.csv").touch()
    assert [path.name for path in out.iterdir()] == ["r.csv"]
    # What a killed command left locks nothing.
    (out / LOCK).touch()
    with output_folder(str(out), "r.csv", overwrite=True):
        pass
    assert [path.name for path in out.iterdir()] == ["r.csv"]


def test_a_lock_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="output=x: Is a directory"), held(tmp_path, "x"):
        pass
