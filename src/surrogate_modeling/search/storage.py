"""Where a study is kept: memory, sqlite, PostgreSQL, or Optuna's journal file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT, cache_folder

SQLITE, JOURNAL, POSTGRESQL = "sqlite:///", "journal:///", "postgresql"
# A process that writes holds sqlite's lock for milliseconds, but many may wait in line.
SECONDS_FOR_LOCK = 60.0


@dataclass(frozen=True)
class Store:
    """An opened storage.

    Attributes:
        storage: Optuna's.
        folder: for the locks of the processes at work.
        lock_file: guards what must happen in one piece; None where the storage has a lock of its own, or needs none.
        place: for people; without a password.
    """

    storage: BaseStorage
    folder: Path
    lock_file: Path | None
    place: str

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one of all processes that work on the storage is inside."""
        with self._lock():
            yield

    def _lock(self) -> Any:
        if self.lock_file is not None:
            return FileLock(self.lock_file)
        return _advisory_lock(self.storage) if isinstance(self.storage, RDBStorage) else nullcontext()


def lock_folder() -> Path:
    """Locks of processes whose study is in no file of this machine, and of its GPUs."""
    folder = cache_folder() / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def open_storage(url: str | None) -> Store:
    """Open a storage, and make its folder and tables where they are missing.

    Args:
        url: ``hydra.sweeper.storage``; a relative file lies under the project root, wherever the command is run.

    Raises:
        UserError: not a kind of storage that is known, or it cannot be opened.
    """
    if url is None:
        return Store(InMemoryStorage(), lock_folder(), None, "memory")
    try:
        if url.startswith((SQLITE, JOURNAL)):
            return _open_file(url)
        if url.startswith(POSTGRESQL):
            storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
            return Store(storage, lock_folder(), None, storage.engine.url.render_as_string(hide_password=True))
    except UserError:
        raise
    except Exception as error:
        # Whatever a database driver raises; its message may hold the URL with its password.
        said = " ".join(str(error).split())[:300].replace(url, "<url>")
        hint = "; install its driver: pip install psycopg2-binary" if isinstance(error, ImportError) else ""
        raise UserError(f"hydra.sweeper.storage: cannot be opened: {type(error).__name__}: {said}{hint}") from error
    raise UserError(
        f"hydra.sweeper.storage={url.split('@')[-1]}: must be null (memory), sqlite:///<file>, journal:///<file> "
        "or postgresql://<user>:<password>@<host>/<database>"
    )


def _open_file(url: str) -> Store:
    kind = SQLITE if url.startswith(SQLITE) else JOURNAL
    path = file_of(url)
    if not path.name or path.is_dir():
        raise UserError(f"hydra.sweeper.storage={url}: must name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not .lock: that is the journal's own.
    lock_file = path.with_name(f"{path.name}.claims")
    # Two processes that make the tables at once disturb each other.
    with FileLock(lock_file):
        if kind == SQLITE:
            storage: BaseStorage = RDBStorage(
                f"{SQLITE}{path}", engine_kwargs={"connect_args": {"timeout": SECONDS_FOR_LOCK}}
            )
        else:
            storage = JournalStorage(JournalFileBackend(str(path)))
    return Store(storage, path.parent, lock_file, str(path))


def file_of(url: str) -> Path:
    """The file of a sqlite or journal URL, as SQLAlchemy counts slashes: three and a relative path, or four."""
    return PROJECT_ROOT / url.removeprefix(SQLITE).removeprefix(JOURNAL)


@contextmanager
def _advisory_lock(storage: RDBStorage) -> Iterator[None]:
    """PostgreSQL's lock by number; it goes with the connection, so that a killed process does not keep it."""
    from sqlalchemy import text

    number = {"number": zlib.crc32(b"surrogate_modeling.search")}
    with storage.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:number)"), number)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), number)


def quieten_optuna() -> None:
    """Its own lines repeat ours."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
