"""Texts of the pages: the same keys and values in each language."""

import re

import pytest

from surrogate_modeling.pages.texts import FOLDER, filled, page_texts

PAGES = sorted({file.name.split(".")[0] for file in FOLDER.iterdir() if file.name.endswith(".yaml")})


@pytest.mark.parametrize("page", PAGES)
def test_each_language_has_the_same_texts_with_the_same_values(page: str) -> None:
    english, japanese = page_texts(page, "en"), page_texts(page, "ja")
    assert list(english) == list(japanese)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", japanese[key])), key


def test_a_value_is_filled_in_once_and_other_braces_stay() -> None:
    assert filled("{a} of {b}, {c} {", a="{b}", b=2) == "{b} of 2, {c} {"
