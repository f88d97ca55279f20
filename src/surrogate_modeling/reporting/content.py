"""Content of a report: plain values that a page shows, kept beside it so that the page can be made again.

A run keeps its content as ``report.json.gz``. Numbers that are not finite are null there, as in the page.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surrogate_modeling.common.atomic_file import NotWritten, write_atomic
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.pages.embedding import finite
from surrogate_modeling.pages.rendering import render

log = logging.getLogger(__name__)
Content = dict[str, Any]
# A text of the page by its key, and the values that it holds.
Sentence = tuple[str, dict[str, Any]]
KEPT_FILE, PAGE_FILE = "report.json.gz", "report.html"
FORMAT = 1


def write_page_or_warning(folder: Path, make: Callable[[], Content], language: str) -> None:
    """Write ``report.html``, and ``report.json.gz`` from which it can be made again.

    What fails in making them is a warning, because no result depends on a page.

    Args:
        folder: of the run, the search or the comparison.
        make: makes the content; its ``kind`` names the template.
        language: of its texts.

    Raises:
        NotWritten: the disk is full.
    """
    try:
        write_page(folder, make(), language)
    except NotWritten:
        raise
    except Exception as error:  # any other error: a page must not end a run
        log.warning("%s could not be made: %s", PAGE_FILE, first_line(error))


def write_page(folder: Path, content: Content, language: str) -> Path:
    """Write the page of a content and the content itself into a folder."""
    text = json.dumps(finite({"format": FORMAT, **content}), ensure_ascii=False, separators=(",", ":"))
    # Without a time stamp, the same content is the same file.
    write_atomic(folder / KEPT_FILE, gzip.compress(_encoded(text), 6, mtime=0), durable=False)
    return write_only_page(folder / PAGE_FILE, content, language)


def write_only_page(path: Path, content: Content, language: str) -> Path:
    """Write the page of a content."""
    write_atomic(path, _encoded(page_of(content, language)), durable=False)
    return path


def page_of(content: Content, language: str) -> str:
    """The page of a content."""
    blocks = content.get("blocks", [])
    rest = {key: value for key, value in content.items() if key not in ("blocks", "format")}
    return render(content["kind"], language, title=content["title"], content=rest, blocks=blocks)


def read_kept(path: Path) -> Content:
    """Read the content that a run kept.

    Raises:
        UserError: damaged, or written by a newer version.
    """
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        found = content["format"]
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not what a run keeps of its report ({type(error).__name__})") from None
    if found != FORMAT:
        raise UserError(
            f"{path}: of format {found}, and this version reads format {FORMAT}; use the version that wrote it"
        )
    return dict(content)


def _encoded(text: str) -> bytes:
    # A name may hold half a letter, from a file system that does not say its encoding.
    return text.encode("utf-8", "backslashreplace")
