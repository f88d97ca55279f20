"""Create a local tracking database atomically.

MLflow makes its tables in many steps. A process killed among them leaves a database that MLflow neither opens nor mends
("table already exists"), and no run after it could be recorded there.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

SQLITE = "sqlite:///"
ARTIFACTS = "mlruns"
# Making the tables takes some 10 s.
SECONDS_FOR_LOCK = 120.0


def database_file(uri: str) -> Path | None:
    """Path of a SQLite store; None for any other store, and for one in memory.

    Args:
        uri: of the store, as SQLAlchemy reads it; a relative path counts from the working folder.
    """
    kind, separator, rest = uri.partition(SQLITE[SQLITE.index(":") :])
    path = rest.partition("?")[0]
    if kind.partition("+")[0] != "sqlite" or not separator or path in ("", ":memory:") or path.startswith("file:"):
        return None
    return Path(path).resolve()


def artifact_root(uri: str) -> str | None:
    """Artifact folder of a store's runs: beside a local database; None for a server, which has its own place.

    Args:
        uri: of the store.
    """
    file = database_file(uri)
    return None if file is None else (file.parent / ARTIFACTS).as_uri()


def database_lock(file: Path) -> FileLock:
    """Lock file of a database, beside it, so that every process uses the same lock, from whatever project.

    Args:
        file: of the database; its folder exists.
    """
    return FileLock(file.with_name(f"{file.name}.lock"), timeout=SECONDS_FOR_LOCK)


def create_database(uri: str, artifacts: str | None) -> None:
    """Create a SQLite database where there is none yet; of several processes at once, one does it.

    Args:
        uri: of the store; anything but a plain SQLite file is left to MLflow.
        artifacts: where MLflow's own default experiment keeps files.
    """
    file = database_file(uri)
    if file is None or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with database_lock(file):
        if file.exists():
            return
        part = file.with_name(f"{file.name}.part")
        for ending in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)
        _make_tables(f"{SQLITE}{part}", artifacts)
        part.replace(file)


def _make_tables(uri: str, artifacts: str | None) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, artifacts or "mlruns").engine.dispose()
