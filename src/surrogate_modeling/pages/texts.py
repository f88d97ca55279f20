"""Texts of the pages, one YAML file per page and language; ``common`` has those that pages share."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import yaml

FOLDER = files(__package__) / "texts"
COMMON = "common"


@lru_cache(maxsize=32)
def page_texts(page: str, language: str) -> dict[str, str]:
    """Texts of a page by key, with the common ones; ``{name}`` in a text stands for a value."""
    return {**_read(COMMON, language), **_read(page, language)}


def _read(page: str, language: str) -> dict[str, str]:
    content = yaml.safe_load((FOLDER / f"{page}.{language}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(value) for key, value in content.items()}


def filled(text: str, /, **values: object) -> str:
    """A text with its ``{name}`` replaced; the values' own braces stay as they are."""
    parts = text.split("{")
    for i, part in enumerate(parts[1:], start=1):
        name, closed, rest = part.partition("}")
        parts[i] = f"{values[name]}{rest}" if closed and name in values else "{" + part
    return "".join(parts)
