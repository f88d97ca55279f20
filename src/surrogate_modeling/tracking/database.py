"""A local tracking database that is there whole or not at all.

MLflow makes its tables in many steps. A process killed among them leaves a database that MLflow neither opens nor mends
("table already exists"), and no run after it could be recorded there.
"""

from __future__ import annotations

from pathlib import Path

SQLITE = "sqlite:///"


def create_database(uri: str, artifacts: str | None) -> None:
    """Make a SQLite database where there is none yet; one process at a time, which is up to the caller.

    Args:
        uri: of the store; anything but a plain SQLite file is left to MLflow.
        artifacts: where MLflow's own default experiment keeps files.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or "?" in uri or path.name == ":memory:" or path.exists():
        return
    part = path.with_name(f"{path.name}.part")
    for ending in ("", "-journal", "-wal", "-shm"):
        part.with_name(part.name + ending).unlink(missing_ok=True)
    _make_tables(f"{SQLITE}{part}", artifacts)
    part.replace(path)


def _make_tables(uri: str, artifacts: str | None) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, artifacts or "mlruns").engine.dispose()
