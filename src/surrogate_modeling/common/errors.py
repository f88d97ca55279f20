"""Errors that a user can mend, shown as one message without a traceback."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What a library says of an error is often pages long."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class UserError(Exception):
    """Something the user can mend; the text is the whole message, and no traceback is shown."""


class TrainingDiverged(UserError):
    """The loss is no longer a number."""
