"""The rows of text files as UTF-8; what is made of them is in test_text_file.py."""

from dataclasses import replace
from pathlib import Path

import pytest

from surrogate_modeling.importing.row_stream import opened_rows, undecodable
from surrogate_modeling.importing.sniffing import Dialect

DIALECT = Dialect("utf-8", ";", ".", "", ("t", "y"), (), 3, 2, 0, (True, True), False)


@pytest.mark.parametrize(
    ("text", "encoding", "separator", "rows"),
    [
        ("x\nt;y\n0;ä\n", "utf-8", ";", "0;ä\n"),
        ("x\nt;y\n0;ä\n", "latin-1", ";", "0;ä\n"),
        ("x\rt;y\r0;ä\r", "utf-8", ";", "0;ä\n"),
        ("x\n t  y\n 0   ä \n", "utf-16", " ", "0\tä\n"),
    ],
)
def test_rows_below_the_head_are_utf_8(tmp_path: Path, text: str, encoding: str, separator: str, rows: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    with opened_rows(path, replace(DIALECT, encoding=encoding, separator=separator), 4096) as file:
        assert file.read() == rows.encode()


@pytest.mark.parametrize("late", [b"\x92\xe2\n1;2\n", b"\xe5\xba"])
def test_bytes_that_are_no_utf_8_are_no_rows(tmp_path: Path, late: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x\nt;y\n0;1\n" + late)
    with opened_rows(path, DIALECT, 4096) as file, pytest.raises(UnicodeDecodeError):
        file.read()


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        ("t\n0\n停\n1\n".encode("cp932"), "utf-8", "line 3: not utf-8; give encoding=..., e.g. cp932 or latin-1"),
        ("t\r0\r停\r1\r".encode("cp932"), "utf-8", "line 3: not utf-8; give encoding=..., e.g. cp932 or latin-1"),
        ("t\n℃\n".encode(), "cp932", "line 2: not cp932; give encoding=..., e.g. utf-8 or latin-1"),
        (b"t\n0\n1\x90\n", "cp1252", "line 3: not cp1252; give encoding=..., e.g. utf-8 or cp932 or latin-1"),
        ("t\n0\n".encode("utf-16")[:-1], "utf-16", "not utf-16; give encoding=..., e.g. utf-8 or cp932 or latin-1"),
    ],
)
def test_the_line_that_is_not_of_the_encoding_is_named(
    tmp_path: Path, content: bytes, encoding: str, reason: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert undecodable(path, encoding) == reason
