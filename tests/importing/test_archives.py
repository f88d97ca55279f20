"""Zip archives: read once for all their members, and names of every machine that packs."""

import logging
import zipfile
from pathlib import Path

import pytest

from surrogate_modeling.importing import archives
from surrogate_modeling.importing.archives import archive_at, close_archives
from surrogate_modeling.importing.memory import needed_bytes
from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.sources import SourceFile, list_sources, unpacked


def packed(path: Path, names: list[str], encoding: str) -> Path:
    """An archive as a machine of that encoding packs it, without the flag of UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            # Letters of one byte each, so that names have as many bytes as in the encoding.
            place = f"{number:02d}".ljust(len(name.encode(encoding)), "x")
            archive.writestr(place, f"content of {number}")
    content = path.read_bytes()
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        content = content.replace(f"{number:02d}".ljust(len(raw), "x").encode(), raw)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("names", "encoding", "warned"),
    [
        (["表/試験1.csv", "ソ1.csv", "plain.csv"], "cp932", True),
        (["表/試験1.csv", "plain.csv"], "utf-8", False),
        (["Größe.csv", "Prüfung_öl.csv", "Öl.csv"], "cp437", True),
        (["plain.csv"], "cp437", False),
    ],
)
def test_names_without_the_flag_of_utf8(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str], encoding: str, warned: bool
) -> None:
    path = packed(tmp_path / "a.zip", names, encoding)
    files = list_sources(str(path))
    assert {file.member for file in files} == set(names)
    for file in files:
        with unpacked(file) as content:
            assert content.read_text() == f"content of {names.index(file.member)}"
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"they are read as {encoding}, such as" in text for text in said] == [True] * warned


def test_names_that_zipfile_writes_need_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("圧力.csv", "x")
    assert [file.stem for file in list_sources(str(tmp_path / "a.zip"))] == ["圧力"]
    assert not caplog.records


def test_an_archive_is_read_once_for_all_its_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.csv", "0" * (1000 + number))
    opened, hashed = [], []
    whole, digest = archives.zipfile.ZipFile, archives.hashlib.file_digest
    monkeypatch.setattr(archives.zipfile, "ZipFile", lambda path, *rest: opened.append(path) or whole(path, *rest))
    monkeypatch.setattr(archives.hashlib, "file_digest", lambda *args: hashed.append(args) or digest(*args))
    files = list_sources(str(tmp_path / "a.zip"))
    assert [needed_bytes(file) for file in files] == [4000, 4004, 4008, 4012]
    digests = [file.digest() for file in files]
    assert len({digest[:32] for digest in digests}) == 1
    assert [digest[32:] for digest in digests] == ["0.csv", "1.csv", "2.csv", "3.csv"]
    for file in files:
        with unpacked(file) as path:
            assert path.stat().st_size == 1000 + int(file.stem)
    assert (len(opened), len(hashed)) == (1, 1)
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("4.csv", "0")
    assert len(list_sources(str(tmp_path / "a.zip"))) == 5
    assert files[0].digest() != digests[0]
    close_archives()
    assert archive_at(tmp_path / "a.zip").members.keys() == {f"{number}.csv" for number in range(5)}


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no archive")
    with pytest.raises(BadFile, match=r"a\.zip: no zip archive \(File is not a zip file\)"):
        archive_at(tmp_path / "a.zip")
    path = packed(tmp_path / "c.zip", ["c.csv"], "ascii")
    with pytest.raises(BadFile, match=r"c\.zip: holds no 'd.csv' any more"), unpacked(SourceFile(path, "d.csv")):
        pass
    with pytest.raises(BadFile, match=r"b\.zip: cannot be read: No such file"):
        SourceFile(tmp_path / "b.zip", "a.csv").unpacked_bytes()
