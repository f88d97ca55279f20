"""Find fonts for the text of a figure, whatever its script."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from functools import lru_cache

log = logging.getLogger(__name__)
DEFAULT_FAMILY = "DejaVu Sans"
# Tried first: they cover whole scripts, so that the letters of one name look alike.
PREFERRED = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "Yu Gothic",
    "Hiragino Sans",
    "MS Gothic",
)
# Comes with matplotlib and has only a box for every letter.
PLACEHOLDER_FAMILY = "Last Resort"
MAX_CHARACTERS_LISTED = 20


def use_fonts(families: Iterable[str]) -> None:
    """Set matplotlib's font families, tried in order per letter; :func:`find_fonts` has reported missing letters."""
    import matplotlib

    matplotlib.rcParams["font.family"] = list(families)
    warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)


def find_fonts(texts: Iterable[str]) -> list[str]:
    """Find font families that together have every letter of some texts, as far as this machine has them.

    Fonts that were installed after matplotlib had made its list are found too. Letters that no font has are named in
    one warning.
    """
    letters = frozenset(letter for letter in "".join(texts) if letter.isprintable() and not letter.isspace())
    return list(_families(letters))


@lru_cache(maxsize=32)
def _families(letters: frozenset[str]) -> tuple[str, ...]:
    from matplotlib import font_manager

    manager = font_manager.fontManager
    families = [DEFAULT_FAMILY]
    missing = letters - _letters_of(font_manager.findfont(DEFAULT_FAMILY), letters)
    if missing:
        listed = {font.fname for font in manager.ttflist}
        for path in set(font_manager.findSystemFonts()) - listed:
            _add(path)
    real = [font for font in manager.ttflist if not font.name.startswith(PLACEHOLDER_FAMILY)]
    fonts = sorted(real, key=lambda font: font.name not in PREFERRED)
    for font in fonts:
        if not missing:
            break
        if found := _letters_of(font.fname, missing):
            missing -= found
            families.append(font.name)
    if missing:
        shown = "".join(sorted(missing)[:MAX_CHARACTERS_LISTED])
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
    except Exception as error:  # skip damaged fonts of the system
        log.debug("font %s cannot be read: %s", path, error)


def _letters_of(path: str, letters: frozenset[str]) -> frozenset[str]:
    """The given letters that a font has."""
    from matplotlib.ft2font import FT2Font

    try:
        charmap = FT2Font(path).get_charmap()
    except Exception as error:
        log.debug("font %s cannot be read: %s", path, error)
        return frozenset()
    return frozenset(letter for letter in letters if ord(letter) in charmap)
