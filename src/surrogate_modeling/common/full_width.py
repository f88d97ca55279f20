"""Text as Japanese keyboards write it, in full width, as the plain letters, digits and signs that it stands for."""

from __future__ import annotations

import unicodedata

# Letters, digits and signs in full width, the blank, and units of one character such as ㎾; other signs that NFKC
# changes stay as they are written: ℃, ², µ.
_WIDE = [*range(0xFF01, 0xFF5F), 0x3000, *range(0x3371, 0x33E0)]
# The minus of Shift-JIS, which NFKC leaves.
_PLAIN = {code: unicodedata.normalize("NFKC", chr(code)) for code in _WIDE} | {0x2212: "-"}


def narrow(text: str) -> str:
    """A text without letters, digits and signs in full width: ``１．５`` is 1.5, and ``（ｋＷ）`` is (kW)."""
    return text if text.isascii() else text.translate(_PLAIN)
