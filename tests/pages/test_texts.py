"""Texts of the pages: the same keys and values in each language."""

import re
from enum import Enum

import pytest

from surrogate_modeling.config.commands import BandScope
from surrogate_modeling.config.plan_keys import By
from surrogate_modeling.pages.texts import FOLDER, filled, page_texts

PAGES = sorted({file.name.split(".")[0] for file in FOLDER.iterdir() if file.name.endswith(".yaml")})


@pytest.mark.parametrize("page", PAGES)
def test_each_language_has_the_same_texts_with_the_same_values(page: str) -> None:
    english, japanese = page_texts(page, "en"), page_texts(page, "ja")
    assert list(english) == list(japanese)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", japanese[key])), key


@pytest.mark.parametrize(
    ("choice", "page", "prefix"),
    [(By, "plan", "plan_by_"), (BandScope, "run", "scope_"), (BandScope, "surrogate", "scope_")],
)
def test_each_choice_that_a_page_words_has_its_text(choice: type[Enum], page: str, prefix: str) -> None:
    """A page without it is a KeyError, or an empty word, once all else is written."""
    worded = {key for key in page_texts(page, "en") if key.startswith(prefix)}
    assert {f"{prefix}{each.value}" for each in choice} == worded - {"scope_none"}


def test_a_value_is_filled_in_once_and_other_braces_stay() -> None:
    assert filled("{a} of {b}, {c} {", a="{b}", b=2) == "{b} of 2, {c} {"
