"""Which files a source names, and what their cases are called."""

import gzip
import zipfile
from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.sources import SourceFile, case_names, list_sources, unpacked


def test_files_of_known_formats_in_natural_order(tmp_path: Path) -> None:
    for name in ("a10.csv", "a2.TXT", "b.xlsx", "notes.md", ".hidden.csv", "sub/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    names = [file.path.name for file in list_sources(str(tmp_path))]
    assert names == ["a2.TXT", "a10.csv", "b.xlsx"]
    assert [file.path.name for file in list_sources(f"{tmp_path}/**/*.csv")] == [".hidden.csv", "a10.csv", "c.csv"]
    (tmp_path / "sub" / "cases.csv").write_text("x")
    (tmp_path / "sub" / "import.yaml").write_text("x")
    # The table of an earlier import is no table of rows.
    assert [file.path.name for file in list_sources(str(tmp_path / "sub"))] == ["c.csv"]
    both = list_sources([f"{tmp_path}/sub/c.csv", f"{tmp_path}/a10.csv", f"{tmp_path}/sub/c.c*"])
    assert [file.path.name for file in both] == ["c.csv", "a10.csv"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match=r"no file of a known format in this folder; '.*/\*\*/\*.csv' looks in its"):
        list_sources(str(tmp_path / "none"))


def test_names_are_told_apart_by_as_many_folders_as_it_takes() -> None:
    files = [SourceFile(Path(f"/d/{name}")) for name in ("x/1/run.csv", "y/1/run.csv", "y/2/run.csv", "z/own.csv")]
    assert list(case_names(files).values()) == ["x_1_run", "y_1_run", "2_run", "own"]
    twins = [SourceFile(Path("/d/a.csv")), SourceFile(Path("/d/a.txt"))]
    assert [name.rsplit("_", 1)[1] for name in case_names(twins).values()] == ["csv", "txt"]
    with pytest.raises(UserError, match="rename one"):
        case_names([SourceFile(Path("/d/a.csv")), SourceFile(Path("/d/A.CSV"))])


def test_archives_are_unpacked_and_removed(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"content"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("deep/c.csv", "inner")
    (packed,) = list_sources(str(tmp_path / "a.csv.gz"))
    (member,) = list_sources(str(tmp_path / "b.zip"))
    assert (packed.inner, packed.stem, member.inner, member.folders[-2:]) == ("a.csv", "a", "c.csv", ("b", "deep"))
    assert str(member) == f"{tmp_path}/b.zip!deep/c.csv"
    for file, content in ((packed, b"content"), (member, b"inner")):
        with unpacked(file) as path:
            assert path.read_bytes() == content
        assert not path.exists()
    (tmp_path / "a.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(BadFile, match="the archive is damaged"), unpacked(packed):
        pass
