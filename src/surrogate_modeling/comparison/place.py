"""Where a comparison is kept, so that the same command finds it again."""

from __future__ import annotations

from pathlib import Path

from surrogate_modeling.config import PROJECT_ROOT, CompareConfig, UserError


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
