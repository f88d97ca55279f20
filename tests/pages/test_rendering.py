"""Pages are self-contained, and vendored scripts have their licence beside them."""

import pytest

from surrogate_modeling.pages.rendering import ASSETS, asset


@pytest.mark.parametrize("name", sorted(file.name for file in ASSETS.iterdir() if file.name.endswith((".js", ".css"))))
def test_a_style_or_script_fetches_nothing_and_does_not_end_its_element(name: str) -> None:
    text = asset(name)
    assert "@import" not in text
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "url(http"):
        assert word not in text, word


def test_a_vendored_script_has_its_licence() -> None:
    assert "MIT License" in (ASSETS / "uPlot.LICENSE.txt").read_text(encoding="utf-8")
