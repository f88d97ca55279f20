"""A study's storage that does not answer: it is asked again for a while, and then the search says so and ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from surrogate_modeling.common.errors import UserError

T = TypeVar("T")
log = logging.getLogger(__name__)
# What Optuna's databases raise, and the locks of servers; and files, such as a journal on a disk of the network.
DATABASE = (StorageInternalError, SQLAlchemyError)
AWAY = (*DATABASE, OSError)
SECONDS_OF_PATIENCE = 600.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 30.0
MAX_REASON_LETTERS = 300


class Patience:
    """Asks a storage again while it does not answer, for at most ``SECONDS_OF_PATIENCE`` in one piece.

    Args:
        place: of the storage, for people.
        secrets: that no message may hold.

    Attributes:
        outages: how often it was away.
    """

    def __init__(self, place: str, secrets: tuple[str, ...] = ()) -> None:
        self.place, self.secrets, self.outages = place, secrets, 0
        self._since: float | None = None
        self._seconds = SECONDS_OF_PATIENCE

    def ask(self, question: Callable[[], T]) -> T:
        """The answer of the storage.

        Args:
            question: is asked again after an error of the storage.

        Raises:
            UserError: it does not answer; what is asked after that is asked once.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = question()
            except AWAY as error:
                self._note(error)
            else:
                if self._since is not None:
                    log.info("%s answers again", self.place)
                    self._since = None
                return answer
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def end(self) -> None:
        """From now on ask once: whoever stopped the search does not want to wait."""
        self._seconds = 0.0

    @contextmanager
    def once(self, errors: tuple[type[Exception], ...] = DATABASE) -> Iterator[None]:
        """What is asked of the storage inside is asked once; where it does not answer, one line says so.

        Args:
            errors: of the storage; errors of files may also be of others where these are written, too.

        Raises:
            UserError: it does not answer.
        """
        try:
            yield
        except errors as error:
            raise self.refusal(error) from None

    def refusal(self, error: BaseException) -> UserError:
        """What is said when a storage does not answer."""
        return UserError(
            f"hydra.sweeper.storage={self.place} does not answer: {self.reason(error)}; when it does, the same command "
            "goes on with the study"
        )

    def reason(self, error: BaseException) -> str:
        """An error of the storage in one line without secrets."""
        return reason_of(error, self.secrets)

    def _note(self, error: BaseException) -> None:
        now = time.monotonic()
        is_new, self._since = self._since is None, self._since or now
        self.outages += is_new
        if now - self._since >= self._seconds:
            raise self.refusal(error) from None
        if is_new:
            log.warning(
                "hydra.sweeper.storage=%s does not answer: %s; it is asked again for %.0f min",
                self.place, self.reason(error), self._seconds / 60,
            )  # fmt: skip


def reason_of(error: BaseException, secrets: tuple[str, ...] = ()) -> str:
    """An error of a storage in one line: of the database where there is one below Optuna's and SQLAlchemy's.

    Args:
        error: that was raised.
        secrets: texts to be hidden, such as a password.
    """
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    error = getattr(error, "orig", None) or error
    message = " ".join(str(error).split())
    for secret in filter(None, secrets):
        message = message.replace(secret, "***")
    return f"{type(error).__name__}: {message[:MAX_REASON_LETTERS]}"
