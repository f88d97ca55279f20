"""Classify an error of the tracking store: content refused, access denied, run unknown, or store unavailable."""

from __future__ import annotations

import enum
from typing import Any


class Answer(enum.Enum):
    """Answer of the store to one request that failed."""

    refused = "this content is never taken; anything else may be"
    unknown = "the store does not have the run"
    denied = "nothing is taken until a person changes something"
    away = "the store does not answer, or not now"


REFUSED = ("INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST")
DENIED = ("PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED", "UNAUTHENTICATED")
REFUSED_STATUS = (400, 413, 414, 415, 422, 431)
DENIED_STATUS = (401, 403, 407)
# A database's errors pass as bad requests too; of those, these two are about the content.
DATABASE_ERROR = "sqlalche.me"
OF_THE_CONTENT = ("DataError", "IntegrityError")


def answer_of(error: BaseException) -> Answer:
    """Classify an error that a request to the store raised.

    Args:
        error: raised by MLflow, or by the library with which it sends files.
    """
    code: Any = getattr(error, "error_code", None)
    status: Any = getattr(getattr(error, "response", None), "status_code", None)
    text = str(error)
    if code in DENIED or status in DENIED_STATUS or "out-of-date database schema" in text:
        return Answer.denied
    if code == "RESOURCE_DOES_NOT_EXIST":
        return Answer.unknown
    if code == "BAD_REQUEST" and DATABASE_ERROR in text and not any(kind in text for kind in OF_THE_CONTENT):
        return Answer.away
    return Answer.refused if code in REFUSED or status in REFUSED_STATUS else Answer.away
