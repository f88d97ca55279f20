"""Locks of database servers, on connections that answer as these servers do."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, create_engine, event, make_url

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search import storage

URL = "mariadb+pymysql://me:secret@host/studies"


class Server:
    """Stands for an engine of MariaDB: its functions of locks, in sqlite.

    Args:
        get_lock: name and timeout [s] -> 1, or None without a lock.
    """

    def __init__(self, get_lock: Callable[[str, float], int | None]) -> None:
        self.url, self.taken = make_url(URL), list[str]()
        self.engine = create_engine("sqlite://")

        def take(name: str, timeout: float) -> int | None:
            answer = get_lock(name, timeout)
            self.taken += [name] if answer else []
            return answer

        def give(name: str) -> int:
            self.taken.remove(name)
            return 1

        @event.listens_for(self.engine, "connect")
        def add_functions(connection: SimpleNamespace, _: object) -> None:
            connection.create_function("GET_LOCK", 2, take)
            connection.create_function("RELEASE_LOCK", 1, give)

    def connect(self) -> Connection:
        return self.engine.connect()


def test_a_lock_of_mariadb_is_held_inside_and_given_back() -> None:
    """Its GET_LOCK knows no negative timeout: NULL with a warning, and no lock (MariaDB since 10.0.21)."""
    server = Server(lambda _, timeout: 1 if timeout >= 0 else None)
    with storage._server_lock(server):  # type: ignore[arg-type]
        assert len(server.taken) == 1
    assert server.taken == []


@pytest.mark.parametrize(("answer", "shown"), [(None, "NULL"), (0, "0")])
def test_a_lock_that_is_not_given_is_refused(monkeypatch: pytest.MonkeyPatch, answer: int | None, shown: str) -> None:
    monkeypatch.setattr(storage, "create_engine", lambda *_, **__: Server(lambda *_: answer))
    with pytest.raises(UserError) as refused:
        storage.open_storage(URL)
    assert str(refused.value) == (
        "hydra.sweeper.storage=mariadb+pymysql://me:***@host/studies: the server gives no lock, without which processes "
        f"would take the same trials (SELECT GET_LOCK('{storage._NUMBER}', 31536000) gives {shown}, must be 1); take "
        "another database"
    )
