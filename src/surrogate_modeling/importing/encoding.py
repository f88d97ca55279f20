"""Find the encoding of a text file from its bytes."""

from __future__ import annotations

import codecs

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
# Characters of Japanese text; half-width ones are also what the degree sign of Latin-1 reads as.
KANA = range(0x3040, 0x3100)
IDEOGRAPHS = range(0x4E00, 0xA000)


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
        return _legacy(sample), True


def _legacy(sample: bytes) -> str:
    """The likeliest encoding of bytes that are not UTF-8."""
    # Only lines with other than ASCII tell; numbers would drown them.
    lines = b"\n".join(line for line in sample.splitlines() if not line.isascii())
    for name in ("cp932", "euc_jp"):
        text = _decoded(lines, name)
        if any(ord(letter) in KANA for letter in text) or _mostly(text, IDEOGRAPHS):
            return name
    if sum(byte > 127 for byte in lines) >= LEAST_BYTES:
        from charset_normalizer import from_bytes

        best = from_bytes(lines, cp_isolation=[*OTHERS, "cp1252", "latin_1"]).best()
        if best and best.encoding in OTHERS:
            return best.encoding
    return "cp1252" if _decoded(lines, "cp1252") else "latin_1"


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
