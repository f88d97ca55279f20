"""The folder that a comparison is kept in, and the document that its table is pasted into."""

from __future__ import annotations

from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import CompareConfig


def choose_output(config: CompareConfig) -> Path:
    """The folder of the comparison, made.

    Raises:
        UserError: it cannot be made.
    """
    given = config.output
    folder = Path(given).expanduser() if given else PROJECT_ROOT / "comparison" / Path(config.dataset.path).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={folder}: {error.strerror}; give a folder that can be written") from None
    return folder.absolute()


def find_document(config: CompareConfig) -> Path | None:
    """The document to paste into, if any.

    Raises:
        UserError: it is not there.
    """
    if config.paste is None:
        return None
    document = Path(config.paste).expanduser()
    if not document.is_file():
        raise UserError(f"paste={config.paste}: no such file; make it, with a first line, and give it again")
    return document
