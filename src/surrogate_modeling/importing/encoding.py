"""Find the encoding of a text file from its bytes."""

from __future__ import annotations

import codecs
import operator
import re
from collections.abc import Sequence

# Byte order marks -> name of the encoding; the longer before those that they begin with.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of other scripts that are recognized only in a text of some length.
OTHERS = ["cp1251", "gb18030", "big5", "cp949"]
LEAST_BYTES = 60
# Share of NUL bytes at even or odd places that only UTF-16 without a mark has.
NUL_SHARE = 0.3
# Characters of Japanese text.
KANA = range(0x3040, 0x3100)
IDEOGRAPHS = range(0x4E00, 0xA000)
# Signs whose first byte in Shift-JIS is no letter of another encoding.
SIGNS = frozenset("℃％（）［］【】／・、。\u3000")
# First bytes of usual ideographs in Shift-JIS; those of others are letters of Latin-1 and the like.
USUAL_FIRST = range(0x88, 0xA0)
# Half-width kana; signs and capitals with accents of Latin-1, and pairs of bytes of other encodings, read as them too.
HALF_WIDTH = re.compile("[\uff66-\uff9f]+")
NO_CAPITAL = re.compile("[\uff66-\uff7f]")


def detect(sample: bytes, complete: bool) -> tuple[str, bool]:
    """The encoding of a text, and whether it was guessed rather than read from its bytes.

    Args:
        sample: first bytes of the file.
        complete: whether these are all; otherwise the last character may be cut.
    """
    for mark, name in MARKS:
        if sample.startswith(mark):
            return name, False
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        part = sample[place::2]
        if part and part.count(0) > NUL_SHARE * len(part):
            return name, False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, complete)
        return "utf-8", False
    except UnicodeDecodeError:
        # The last line of a sample may be cut within a character.
        lines = sample.splitlines()[: None if complete else -1]
        return _legacy(lines), True


def _legacy(lines: Sequence[bytes]) -> str:
    """The likeliest encoding of lines that are not UTF-8."""
    # Only lines with other than ASCII tell; numbers would drown them.
    special = b"\n".join(line for line in lines if not line.isascii())
    japanese = {name: _decoded(special, name) for name in ("cp932", "euc_jp")}
    if _is_shift_jis(japanese["cp932"]):
        return "cp932"
    for name, text in japanese.items():
        if any(ord(letter) in KANA for letter in text) or _mostly(text, IDEOGRAPHS):
            return name
    if _has_half_width(japanese["cp932"]):
        return "cp932"
    if sum(byte > 127 for byte in special) >= LEAST_BYTES:
        from charset_normalizer import from_bytes

        best = from_bytes(special, cp_isolation=[*OTHERS, "cp1252", "latin_1"]).best()
        if best and best.encoding in OTHERS:
            return best.encoding
    return "cp1252" if _decoded(special, "cp1252") else "latin_1"


def _is_shift_jis(text: str) -> bool:
    """Whether text that was decoded from Shift-JIS has what other encodings do not read as: signs, usual ideographs."""
    usual = [ord(letter) in IDEOGRAPHS and letter.encode("cp932")[0] in USUAL_FIRST for letter in text]
    return any(letter in SIGNS for letter in text) or any(map(operator.and_, usual, usual[1:]))


def _has_half_width(text: str) -> bool:
    """Whether text that was decoded from Shift-JIS has words of half-width kana, such as ﾄﾙｸ.

    Pairs of bytes of Chinese and Korean read as an even number of them, capitals of Cyrillic as the later half.
    """
    words = [word for word in HALF_WIDTH.findall(text) if len(word) >= 3]
    others = [ord(letter) for letter in HALF_WIDTH.sub("", text) if not letter.isascii()]
    return all(letter in IDEOGRAPHS for letter in others) and any(
        len(word) % 2 and NO_CAPITAL.search(word) for word in words
    )


def _mostly(text: str, letters: range) -> bool:
    """Whether at least two runs of two letters of a script make most of what is not ASCII."""
    special = [ord(letter) for letter in text if ord(letter) > 127]
    pairs = sum(a in letters and b in letters for a, b in zip(map(ord, text), map(ord, text[1:]), strict=False))
    return bool(special) and pairs >= 2 and sum(letter in letters for letter in special) > len(special) / 2


def _decoded(text: bytes, encoding: str) -> str:
    """The text; empty where the bytes are not of this encoding."""
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        return ""
