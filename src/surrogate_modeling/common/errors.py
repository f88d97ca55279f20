"""Errors that a user can correct, shown as one message without a traceback."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an error's message: messages of libraries are often pages long."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class UserError(Exception):
    """An error that the user can correct; its text is the whole message, shown without a traceback."""


class TrainingDiverged(UserError):
    """The training diverged: its loss is not a finite number."""
