"""Classify an error of the tracking store: content refused, access denied, run unknown, or store unavailable."""

from __future__ import annotations

import enum
from typing import Any


class ErrorKind(enum.Enum):
    """Kind of error with which the store answers a request."""

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
CONTENT_ERRORS = ("DataError", "IntegrityError")


def error_kind(error: BaseException) -> ErrorKind:
    """Classify an error that a request to the store raised.

    Args:
        error: raised by MLflow, or by the library with which it sends files.
    """
    code: Any = getattr(error, "error_code", None)
    status: Any = getattr(getattr(error, "response", None), "status_code", None)
    text = str(error)
    if code in DENIED or status in DENIED_STATUS or "out-of-date database schema" in text:
        return ErrorKind.denied
    if code == "RESOURCE_DOES_NOT_EXIST":
        return ErrorKind.unknown
    if code == "BAD_REQUEST" and DATABASE_ERROR in text and not any(kind in text for kind in CONTENT_ERRORS):
        return ErrorKind.away
    return ErrorKind.refused if code in REFUSED or status in REFUSED_STATUS else ErrorKind.away
