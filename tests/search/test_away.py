"""A storage that is away for a moment, or for good."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search import away
from surrogate_modeling.search.away import Patience


class Clock:
    """Time that passes only while something sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 5000.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(away, "time", clock)
    return clock


def closed() -> StorageInternalError:
    """As Optuna wraps an error of a database's driver."""
    error = StorageInternalError("An exception is raised during the commit. This typically happens due to ...")
    error.__cause__ = OperationalError("SELECT 1", {}, Exception("connection of me:s3cret\nclosed"))
    return error


def failing(times: int, error: Callable[[], Exception] = closed) -> Callable[[], int]:
    """Answers with the number of the question, after it failed so many times."""
    asked = 0

    def question() -> int:
        nonlocal asked
        asked += 1
        if asked <= times:
            raise error()
        return asked

    return question


def test_what_was_away_for_a_moment_is_asked_again(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience("postgresql://host/db", ("s3cret",))
    with caplog.at_level(logging.INFO):
        assert patience.ask(failing(3)) == 4
        assert patience.ask(failing(1, lambda: OSError(116, "Stale file handle"))) == 2
    assert clock.slept == [0.5, 1.0, 2.0, 0.5]
    assert patience.outages == 2
    assert caplog.messages == [
        "hydra.sweeper.storage=postgresql://host/db does not answer: Exception: connection of me:*** closed; it is "
        "asked again for 10 min",
        "postgresql://host/db answers again",
        "hydra.sweeper.storage=postgresql://host/db does not answer: OSError: [Errno 116] Stale file handle; it is "
        "asked again for 10 min",
        "postgresql://host/db answers again",
    ]


def test_what_stays_away_is_refused_and_then_asked_once(clock: Clock) -> None:
    patience = Patience("x.db")
    with pytest.raises(UserError, match=r"^hydra.sweeper.storage=x.db does not answer: .* the same command goes on"):
        patience.ask(failing(1000))
    assert 600 <= sum(clock.slept) < 630
    slept = len(clock.slept)
    with pytest.raises(UserError):
        patience.ask(failing(1000))
    assert len(clock.slept) == slept
    assert patience.outages == 1


def test_an_interrupted_search_does_not_wait(clock: Clock) -> None:
    patience = Patience("x.db")
    patience.end()
    with pytest.raises(UserError):
        patience.ask(failing(1))
    assert clock.slept == []


def test_what_is_asked_once_is_refused_at_once_without_the_password(clock: Clock) -> None:
    patience = Patience("postgresql://me:***@host/db", ("s3cret",))
    with pytest.raises(UserError) as refusal, patience.once():
        raise closed()
    assert str(refusal.value) == (
        "hydra.sweeper.storage=postgresql://me:***@host/db does not answer: Exception: connection of me:*** closed; when "
        "it does, the same command goes on with the study"
    )
    assert clock.slept == []
    # A full disk is none of the storage's errors where other files are written, too.
    with pytest.raises(OSError, match="No space"), patience.once():
        raise OSError(28, "No space left on device")


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="^no$"):
        Patience("x.db").ask(failing(1, lambda: ValueError("no")))
