"""The bytes of a case file as text: its encoding, and where its lines are, without a copy of a large file."""

from __future__ import annotations

import re

BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r\n|\n|\r")


def first_lines(body: bytes, start: int) -> tuple[list[bytes], int]:
    """The first two lines from a place on, fewer where the file ends before, and where the third begins."""
    lines: list[bytes] = []
    while len(lines) < 2 and (found := LINE_END.search(body, start)):
        lines.append(body[start : found.start()])
        start = found.end()
    return lines, start


def end_of_text(body: bytes, first: int) -> int:
    """Where white space to the end begins, at ``first`` at the earliest."""
    end = len(body)
    while end > first and body[end - 1 : end].isspace():
        end -= 1
    return end


def encoding_problem(body: bytes) -> str | None:
    """Why these bytes are no text in UTF-8."""
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
