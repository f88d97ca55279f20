"""Which fonts a text needs, with the fonts that matplotlib brings itself."""

import logging

import pytest
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from surrogate_modeling.evaluation.fonts import DEFAULT_FAMILY, PLACEHOLDER_FAMILY, find_fonts


def letters(family: str) -> set[int]:
    return set(FT2Font(font_manager.findfont(family)).get_charmap())


def test_latin_text_needs_one_font() -> None:
    assert find_fonts(["outlet temp", "p [bar]", "°C m³ Δ"]) == [DEFAULT_FAMILY]


def test_a_letter_that_latin_lacks_is_found_in_another_font() -> None:
    listed = {font.name for font in font_manager.fontManager.ttflist if not font.name.startswith(PLACEHOLDER_FAMILY)}
    others = sorted({code for family in listed for code in letters(family)} - letters(DEFAULT_FAMILY))
    letter = next(chr(code) for code in others if chr(code).isprintable() and not chr(code).isspace())
    families = find_fonts([f"T {letter}"])
    assert families[0] == DEFAULT_FAMILY
    assert any(ord(letter) in letters(family) for family in families[1:])


def test_a_letter_that_no_font_has_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    # Deseret and a hieroglyph: in no font for everyday use.
    with caplog.at_level(logging.WARNING):
        find_fonts(["\U00013003\U00013004", "p"])
        find_fonts(["p", "\U00013004\U00013003"])
    (record,) = caplog.records
    assert "2 letters of the names (\U00013003\U00013004): figures show squares" in record.getMessage()
