"""Fingerprint of the files of cases."""

from pathlib import Path

from builders import read, write_cases


def test_fingerprint_follows_names_and_content(tmp_path: Path) -> None:
    write_cases(tmp_path / "a", 2)
    write_cases(tmp_path / "b", 2)
    before = read(tmp_path / "a").fingerprint
    assert read(tmp_path / "b").fingerprint == before
    (tmp_path / "b" / "case1.csv").rename(tmp_path / "b" / "case7.csv")
    assert read(tmp_path / "b").fingerprint != before
    with (tmp_path / "a" / "case0.csv").open("a") as file:
        file.write("40,1,5,20,1\n")
    assert read(tmp_path / "a").fingerprint != before
