"""The folder that a comparison is kept in, and the document that its table is pasted into."""

from __future__ import annotations

from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import made_folder
from surrogate_modeling.common.paths import PROJECT_ROOT, expanded
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
        UserError: it is not there, or cannot be read as UTF-8.
    """
    if config.paste is None:
        return None
    document = expanded(config.paste, "paste")
    if not document.is_file():
        raise UserError(f"paste={config.paste}: no such file; make it, with a first line, and give it again")
    try:
        document.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"paste={config.paste}: line {line} is not UTF-8; save the file as UTF-8 first") from None
    except OSError as error:
        raise UserError(f"paste={config.paste}: {error.strerror}; give a file that can be read") from None
    return document
