"""Folder that a command writes its results into."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded


def made_folder(given: str | Path, part: str = "") -> Path:
    """Make the folder that the key ``output`` names, and a folder in it.

    Args:
        given: value of the key, or what stands for it.
        part: name of the folder in it; empty: none.

    Raises:
        UserError: it cannot be made.
    """
    folder = expanded(given, "output")
    try:
        (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={given}: {error.strerror}; give a folder that can be written") from None
    return folder


@contextmanager
def output_folder(given: str, result: str, *, overwrite: bool) -> Iterator[Path]:
    """Check and make the folder; it is removed again if nothing was written into it.

    Args:
        given: value of the key ``output``.
        result: name of a file that says that an earlier result is there.
        overwrite: whether it may be.

    Raises:
        UserError: it cannot be made, or holds an earlier result.
    """
    output = made_folder(given)
    if not overwrite and (output / result).exists():
        raise UserError(f"output={given}: holds an earlier result; give another folder or overwrite=true")
    try:
        yield output
    finally:
        with contextlib.suppress(OSError):
            output.rmdir()
