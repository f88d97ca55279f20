"""Download files from the tracking store."""

from __future__ import annotations

import os
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.database import database_file
from surrogate_modeling.tracking.store import check_store, import_mlflow, reason_of, shown_uri, tracking_uri


def fetch(reference: str, name: str, folder: Path) -> Path:
    """Download one file of a run or of a registered model.

    Args:
        reference: run id, ``runs:/`` or ``models:/`` URI.
        name: of the file, wherever it lies in there.
        folder: to put it in.

    Raises:
        UserError: the store has no such thing, or cannot be reached.
    """
    check_store(writes=False)
    file = database_file(tracking_uri())
    if file is not None and not file.exists():
        raise UserError(f"{reference}: there is no tracking store {shown_uri()} to look in")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow = import_mlflow()
    mlflow.set_tracking_uri(tracking_uri())
    uri = reference if ":/" in reference else f"runs:/{reference}/{name}"
    try:
        fetched = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except Exception as error:
        raise UserError(f"{reference}: not found in {shown_uri()} ({reason_of(error)})") from None
    found = [fetched] if fetched.is_file() else sorted(fetched.rglob(name))
    if not found:
        raise UserError(f"{reference}: holds no {name}; it is saved by settings.is_save_model=True")
    return found[0]
