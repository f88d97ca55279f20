"""Find the encoding and the lines of a case file's bytes without copying a large file."""

from __future__ import annotations

import re

BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r\n|\n|\r")


def first_lines(body: bytes, start: int) -> tuple[list[bytes], int]:
    """The first two lines from ``start`` on (fewer if the file ends before), and the position of the third."""
    lines: list[bytes] = []
    while len(lines) < 2 and (found := LINE_END.search(body, start)):
        lines.append(body[start : found.start()])
        start = found.end()
    return lines, start


def end_of_text(body: bytes, first: int) -> int:
    """Position where trailing white space begins, at least ``first``."""
    end = len(body)
    while end > first and body[end - 1 : end].isspace():
        end -= 1
    return end


def encoding_problem(body: bytes) -> str | None:
    """The reason why these bytes are no UTF-8 text; None if they are."""
    if not body or body.isspace():
        return "the file is empty"
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the file is UTF-16; save it as UTF-8"
    try:
        if not body.isascii():
            body.decode("utf-8")
    except UnicodeDecodeError as error:
        cause = "it looks like Shift-JIS" if _is_shift_jis(body) else "it may be a binary file or another encoding"
        return f"{_place(body, error.start)}: not UTF-8; {cause}; save the file as UTF-8"
    nul = body.find(b"\x00")
    if nul >= 0:
        return f"{_place(body, nul)}: NUL bytes; the file is not text, or UTF-16; save it as UTF-8"
    return None


def _is_shift_jis(body: bytes) -> bool:
    try:
        return "\x00" not in body.decode("cp932")
    except UnicodeDecodeError:
        return False


def _place(body: bytes, at: int) -> str:
    lines = LINE_END.split(body[:at])
    return f"line {len(lines)}, column {lines[-1].count(b',') + 1}"
