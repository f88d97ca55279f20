"""Find a browser of the Chromium family on this machine, and run a page in it without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from surrogate_modeling.common.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
# Where installers put them without a place on the path.
PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ),
    "win32": ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"),
}
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
ARGUMENTS = (
    "--headless", "--dump-dom", "--disable-gpu", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check",
)  # fmt: skip
# The page computes while it is loaded; this is for what the browser itself puts off.
VIRTUAL_MILLISECONDS = 1000
MAX_SECONDS = 900.0


def find_browser(given: str | None = None) -> str:
    """Path of a browser.

    Args:
        given: a path or a command that is to be it.

    Raises:
        UserError: what was given is no program, or none is found.
    """
    if given is not None:
        if found := shutil.which(str(Path(given).expanduser())) or shutil.which(given):
            return found
        raise UserError(f"browser={given}: no such program")
    for name in (*NAMES, *_places()):
        if found := shutil.which(name):
            return found
    raise UserError(
        "format=html: the page is checked in a browser before it is written, and there is no Chromium, Chrome or Edge "
        "on this machine; install one (on Debian and Ubuntu: apt install chromium), give browser=<path>, or write the "
        "page unchecked with check=false"
    )


def _places() -> list[str]:
    places = PLACES.get(sys.platform, ())
    if sys.platform != "win32":
        return list(places)
    folders = [folder for name in WINDOWS_FOLDERS if (folder := os.environ.get(name))]
    return [str(Path(folder) / place) for folder in folders for place in places]


def run_page(browser: str, page: Path) -> str:
    """Open a page and return its elements as text after it has loaded.

    Args:
        browser: path of the program.
        page: a file.

    Raises:
        UserError: the browser failed, or took too long.
    """
    # Its sandbox needs rights that it takes from no superuser; the page is one of ours.
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else [])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        call = [
            browser, *arguments, f"--user-data-dir={profile}", f"--virtual-time-budget={VIRTUAL_MILLISECONDS}",
            page.absolute().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(call, capture_output=True, timeout=MAX_SECONDS)
        except OSError as error:
            raise UserError(f"browser={browser}: cannot be started: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise UserError(
                f"format=html: {browser} needed more than {MAX_SECONDS:g} s for the cases; compare fewer with "
                "num_cases=<n>, or write the page unchecked with check=false"
            ) from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise UserError(f"format=html: {browser} failed with exit code {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")
