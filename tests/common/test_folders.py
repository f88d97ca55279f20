"""Removal of empty folders."""

from pathlib import Path

from surrogate_modeling.common.folders import remove_empty


def test_empty_folders_go_up_to_the_first_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "kept").touch()
    remove_empty(tmp_path / "a" / "b" / "c" / "gone", levels=5)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_no_more_levels_than_told(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    remove_empty(tmp_path / "a" / "b" / "c", levels=2)
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
