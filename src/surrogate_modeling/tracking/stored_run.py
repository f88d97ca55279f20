"""A run in the tracking store: its name, tags, parameters, metrics and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.database import database_file
from surrogate_modeling.tracking.history import History
from surrogate_modeling.tracking.store import check_store, connect, reason_of, shown_uri, tracking_uri


@dataclass(frozen=True)
class StoredRun:
    """Name, tags, the last value of each metric, and the wanted metrics by step."""

    name: str
    tags: dict[str, str]
    metrics: dict[str, float]
    history: History


def fetch_run(run_id: str, names: Sequence[str], folder: Path, curves: Sequence[str]) -> StoredRun:
    """Download some files of a run, and what is recorded of it.

    Args:
        run_id: in the store.
        names: of files and folders; those that it has not are left out.
        folder: to put them in.
        curves: metrics whose last part is one of these are wanted by step.

    Raises:
        UserError: there is no such run, or the store cannot be reached.
    """
    check_store(writes=False)
    file = database_file(tracking_uri())
    if file is not None and not file.exists():
        raise UserError(f"run={run_id}: there is no tracking store {shown_uri()} to look in")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        client = connect()
        run = client.get_run(run_id)
        for artifact in client.list_artifacts(run_id):
            if artifact.path in names:
                client.download_artifacts(run_id, artifact.path, str(folder))
        history = {
            key: [(point.step, point.value) for point in client.get_metric_history(run_id, key)]
            for key in run.data.metrics
            if key.rpartition("/")[2] in curves
        }
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"run={run_id}: not found in {shown_uri()} ({reason_of(error)})") from None
    return StoredRun(run.info.run_name or run_id, dict(run.data.tags), dict(run.data.metrics), history)
