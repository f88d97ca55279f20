"""The folder that a comparison is kept in, and the document that its table is pasted into."""

from __future__ import annotations

from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import made_folder
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import CompareConfig


def choose_output(config: CompareConfig) -> Path:
    """The folder of the comparison, made.

    Raises:
        UserError: it cannot be made.
    """
    usual = PROJECT_ROOT / "comparison" / Path(config.dataset.path).name
    return made_folder(config.output or usual).absolute()


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
