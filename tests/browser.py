"""Chromium for the tests of pages: the one that the machine has, driven by Playwright.

Use: the fixture ``browser``, which ``conftest.py`` gives to all tests, and ``page_of(browser, file)``, an open page that
fails the test where its console holds an error.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_chromium() -> str | None:
    """Path of a browser of the Chromium family, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium for all tests; they are skipped where there is none, but fail where CI=true."""
    path = find_chromium()
    if path is None:
        message = f"needs a browser of the Chromium family ({', '.join(NAMES)})"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{message}; CI=true says that one is here")
        pytest.skip(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@contextmanager
def page_of(browser: Any, file: Path | None = None, fragment: str = "", **options: Any) -> Iterator[Any]:
    """An open page, of a file or empty; at the end no error must have been reported, nor anything asked of a network.

    Args:
        browser: of the fixture.
        file: HTML; None for an empty page.
        fragment: of the address, after ``#``.
        options: of Playwright's ``new_page``, such as ``viewport`` and ``color_scheme``.
    """
    page = browser.new_page(**options)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: errors.append(request.url) if request.url.startswith(("http", "ws")) else None)
    try:
        if file is not None:
            page.goto(file.absolute().as_uri() + (f"#{fragment}" if fragment else ""))
        yield page
        assert errors == []
    finally:
        page.close()


def wait_for(page: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait until an expression of the page's own script is true; Playwright's way needs rights the pages do not give."""
    end = monotonic() + seconds
    while not page.evaluate(expression):
        assert monotonic() < end, f"not true after {seconds:g} s: {expression}"
        page.wait_for_timeout(20)
