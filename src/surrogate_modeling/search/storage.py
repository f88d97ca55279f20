"""Where a study is kept: memory, any database of SQLAlchemy, or Optuna's journal file."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT, cache_folder
from surrogate_modeling.search.away import Patience, reason_of

SQLITE, JOURNAL = "sqlite:///", "journal:///"
KINDS = "sqlite:///<file>, journal:///<file> or a URL of SQLAlchemy such as postgresql://<user>@<host>/<database>"
DRIVERS = {
    "postgresql": "python -m pdm sync -G postgresql, which is psycopg 3, and postgresql://...",
    "mysql": "pip install pymysql, and mysql+pymysql://...",
    "mariadb": "pip install pymysql, and mariadb+pymysql://...",
}
_NUMBER = zlib.crc32(b"surrogate_modeling.search")
# Seconds to wait: a year, the most there is. MariaDB takes no lock at all where MySQL waits for ever, at -1.
_MYSQL_LOCK = f"SELECT GET_LOCK('{_NUMBER}', 31536000)", f"SELECT RELEASE_LOCK('{_NUMBER}')"
# Statements that take a lock and give it back, by kind of database.
SERVER_LOCKS = {
    "postgresql": (f"SELECT pg_advisory_lock({_NUMBER})", f"SELECT pg_advisory_unlock({_NUMBER})"),
    "mysql": _MYSQL_LOCK,
    "mariadb": _MYSQL_LOCK,
}
log = logging.getLogger(__name__)
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
        secrets: that no message may hold.
    """

    storage: BaseStorage
    folder: Path
    lock_file: Path | None
    place: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def patience(self) -> Patience:
        """Asks the storage again where it does not answer."""
        return Patience(self.place, self.secrets)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one of all processes that work on the storage is inside."""
        with self._lock():
            yield

    def _lock(self) -> Any:
        if self.lock_file is not None:
            return FileLock(self.lock_file)
        return _server_lock(self.storage.engine) if isinstance(self.storage, RDBStorage) else nullcontext()


def lock_folder() -> Path:
    """Locks of processes whose study is in no file of this machine, and of its GPUs."""
    folder = cache_folder() / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def open_storage(url: str | None) -> Store:
    """Open a storage, and make its folder and tables where they are missing.

    Args:
        url: ``hydra.sweeper.storage``: any URL of SQLAlchemy, or ``journal:///<file>``; a relative file lies under the
            project root, wherever the command is run.

    Raises:
        UserError: not the URL of a database, or it cannot be opened.
    """
    if url is None:
        return Store(InMemoryStorage(), lock_folder(), None, "memory")
    if url.startswith((SQLITE, JOURNAL)):
        return _open_file(url)
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError(f"hydra.sweeper.storage: must be null (memory), {KINDS}") from None
    if parsed.get_backend_name() == "sqlite":
        raise UserError(
            f"hydra.sweeper.storage={url}: must name a file, sqlite:///<file>; null keeps the study in memory"
        )
    return _open_server(parsed)


def _open_server(url: URL) -> Store:
    place = url.render_as_string(hide_password=True)
    full = url.render_as_string(hide_password=False)
    secrets = (full, str(url.password)) if url.password else ()
    kind = url.get_backend_name()
    # Only these have a lock that goes with the connection.
    known = kind in SERVER_LOCKS
    lock_file = None if known else lock_folder() / f"{zlib.crc32(full.encode()):08x}.claims"
    try:
        # Two processes that make the tables at once disturb each other.
        with FileLock(lock_file) if lock_file else _server_lock(create_engine(url, poolclass=NullPool)):
            storage = RDBStorage(full, engine_kwargs={"pool_pre_ping": True})
    except UserError:
        raise
    except Exception as error:
        # Whatever a database driver raises; its message may hold the URL, or the password alone.
        raise UserError(
            f"hydra.sweeper.storage={place}: cannot be opened: {reason_of(error, secrets)}{_driver_hint(error, kind)}"
        ) from None
    if not known:
        log.warning(
            "%s: processes on several machines cannot share a study in %s; postgresql or mysql can", place, kind
        )
    return Store(storage, lock_folder(), lock_file, place, secrets)


def _driver_hint(error: Exception, kind: str) -> str:
    if not isinstance(error, ImportError):
        return ""
    return f"; install its driver: {DRIVERS.get(kind, f'see SQLAlchemy on {kind}')}"


def _open_file(url: str) -> Store:
    kind = SQLITE if url.startswith(SQLITE) else JOURNAL
    path = file_of(url)
    if not path.name or path.is_dir():
        raise UserError(f"hydra.sweeper.storage={url}: must name a file")
    # Not .lock: that is the journal's own.
    lock_file = path.with_name(f"{path.name}.claims")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that make the tables at once disturb each other.
        with FileLock(lock_file):
            if kind == SQLITE:
                storage: BaseStorage = RDBStorage(
                    f"{SQLITE}{path}", engine_kwargs={"connect_args": {"timeout": SECONDS_FOR_LOCK}}
                )
            else:
                storage = JournalStorage(JournalFileBackend(str(path)))
    except Exception as error:
        raise UserError(f"hydra.sweeper.storage={url}: cannot be opened: {reason_of(error)}") from None
    return Store(storage, path.parent, lock_file, str(path))


def file_of(url: str) -> Path:
    """The file of a sqlite or journal URL, as SQLAlchemy counts slashes: three and a relative path, or four."""
    return PROJECT_ROOT / url.removeprefix(SQLITE).removeprefix(JOURNAL)


@contextmanager
def _server_lock(engine: Engine) -> Iterator[None]:
    """A lock of the database server; it goes with the connection, so that a killed process does not keep it.

    Raises:
        UserError: the server did not give it.
    """
    take, give = statements = SERVER_LOCKS[engine.url.get_backend_name()]
    with engine.connect() as connection:
        taken = connection.execute(text(take)).scalar()
        # PostgreSQL returns nothing: it waits, or it fails.
        if statements == _MYSQL_LOCK and taken != 1:
            answer = "NULL" if taken is None else taken
            raise UserError(
                f"hydra.sweeper.storage={engine.url.render_as_string(hide_password=True)}: the server gives no lock, "
                f"without which processes would take the same trials ({take} gives {answer}, must be 1); take "
                "another database"
            )
        try:
            yield
        finally:
            try:
                connection.execute(text(give))
            except SQLAlchemyError:
                # The lock goes with the connection; what was done inside it must not be lost.
                connection.invalidate()


def quieten_optuna() -> None:
    """Only its warnings: its other lines repeat ours."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
