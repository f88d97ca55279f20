"""Find fonts for the text of a figure, whatever its script."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from functools import lru_cache

log = logging.getLogger(__name__)
LATIN = "DejaVu Sans"
# Tried before all others: made for whole scripts, so that the letters of one name look alike.
PREFERRED = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Yu Gothic", "Hiragino Sans", "MS Gothic")
# Has a box for every letter, and matplotlib brings it.
PLACEHOLDERS = "Last Resort"
SHOWN_CHARACTERS = 20


def use_fonts(families: Iterable[str]) -> None:
    """Draw text in these font families, the first that has a letter; missing letters were reported before."""
    import matplotlib

    matplotlib.rcParams["font.family"] = list(families)
    warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)


def find_fonts(texts: Iterable[str]) -> list[str]:
    """Families that together have every letter of some texts, as far as this machine has them.

    Fonts that were installed after matplotlib had made its list are found too. Letters that no font has are named in
    one warning.
    """
    letters = frozenset(letter for letter in "".join(texts) if letter.isprintable() and not letter.isspace())
    return list(_families(letters))


@lru_cache(maxsize=32)
def _families(letters: frozenset[str]) -> tuple[str, ...]:
    from matplotlib import font_manager

    manager = font_manager.fontManager
    families = [LATIN]
    missing = letters - _letters_of(font_manager.findfont(LATIN), letters)
    if missing:
        listed = {font.fname for font in manager.ttflist}
        for path in set(font_manager.findSystemFonts()) - listed:
            _add(path)
    real = [font for font in manager.ttflist if not font.name.startswith(PLACEHOLDERS)]
    fonts = sorted(real, key=lambda font: font.name not in PREFERRED)
    for font in fonts:
        if not missing:
            break
        if found := _letters_of(font.fname, missing):
            missing -= found
            families.append(font.name)
    if missing:
        shown = "".join(sorted(missing)[:SHOWN_CHARACTERS])
        log.warning(
            "no font on this machine has %d letters of the names (%s): figures show squares for them. Install one, "
            "for Japanese for example Noto Sans CJK JP (Debian and Ubuntu: apt install fonts-noto-cjk)",
            len(missing), shown,
        )  # fmt: skip
    return tuple(dict.fromkeys(families))


def _add(path: str) -> None:
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
    except Exception as error:  # a damaged file among the system's fonts is not ours to mend
        log.debug("font %s cannot be read: %s", path, error)


def _letters_of(path: str, letters: frozenset[str]) -> frozenset[str]:
    """Those of some letters that a font has."""
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except Exception as error:
        log.debug("font %s cannot be read: %s", path, error)
        return frozenset()
    return frozenset(letter for letter in letters if ord(letter) in known)
