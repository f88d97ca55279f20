"""Render a page from its template: one self-contained HTML file with its style, scripts and data."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from surrogate_modeling.common.tables import printable
from surrogate_modeling.pages.embedding import json_text
from surrogate_modeling.pages.texts import filled, page_texts

ASSETS = files(__package__) / "assets"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = PackageLoader("surrogate_modeling.pages")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["asset"] = asset
    environment.filters["json"] = json_text
    # Marks of writing direction and control characters are shown, as on the terminal.
    environment.filters["shown"] = printable
    environment.filters["significant"] = significant
    return environment


def asset(name: str) -> Markup:
    """A style or a script of the package, for a style or a script element."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    assert "</script" not in text.lower(), f"{name} would end its script element"
    assert "</style" not in text.lower(), f"{name} would end its style element"
    return Markup(text)


def render(page: str, language: str, **content: Any) -> str:
    """Render a page.

    Args:
        page: name of its template and of its texts.
        language: of the texts, ``en`` or ``ja``.
        content: values of the template. Texts are escaped; data goes through the filter ``json``.

    Returns:
        The page; no byte of it is fetched from elsewhere.
    """
    texts = page_texts(page, language)

    def text(key: str, /, **values: object) -> str:
        """One text with its values."""
        return filled(texts[key], **values)

    def said(item: tuple[str, dict[str, Any]]) -> str:
        """A sentence: a text by its key, with values that may be lists of names."""
        key, values = item
        return text(key, **{name: _listed(value, texts["comma"]) for name, value in values.items()})

    template = _environment().get_template(f"{page}.html.j2")
    return template.render(language=language, texts=texts, t=text, said=said, **content)


def _listed(value: Any, comma: str) -> str:
    return comma.join(map(printable, value)) if isinstance(value, list | tuple) else printable(str(value))


def significant(value: float | None, digits: int = 3) -> str:
    """A number for people with some significant digits; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"
