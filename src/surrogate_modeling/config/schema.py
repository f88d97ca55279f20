"""Base classes of the configuration: dataclasses that check the range of their fields, and enumerations."""

from __future__ import annotations

import re
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.mapping import mapping_of

# OmegaConf's marker of a mandatory value, written out so that these dataclasses need no OmegaConf.
MISSING: Any = "???"


class Choice(Enum):
    """Enumeration whose members are written as their value, also in paths."""

    def __str__(self) -> str:
        return str(self.value)


def plain(value: Any) -> Any:
    """The value of an enumeration's member; any other value unchanged."""
    return value.value if isinstance(value, Choice) else value


def ranged(
    default: Any = NO_DEFAULT, low: float | None = None, high: float | None = None, below: float | None = None
) -> Any:
    """A dataclass field whose value must satisfy ``low <= value <= high`` and ``value < below``."""
    metadata = {"low": low, "high": high, "below": below}
    return field(metadata=metadata) if default is NO_DEFAULT else field(default=default, metadata=metadata)


def matching(default: str, pattern: str, allowed: str) -> Any:
    """A dataclass field whose text must match ``pattern`` as a whole; ``allowed`` says so in words."""
    return field(default=default, metadata={"pattern": pattern, "allowed": allowed})


def is_positive(value: object) -> bool:
    """Whether a value is a number more than 0 and finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


@dataclass
class Checked:
    """Base dataclass that checks what :func:`ranged` and :func:`matching` declare when it is made."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if (pattern := item.metadata.get("pattern")) and not re.fullmatch(pattern, str(value)):
                self.reject(item.name, item.metadata["allowed"])
            low, high, below = (item.metadata.get(key) for key in ("low", "high", "below"))
            if value is None or isinstance(value, str) or (low is None and high is None and below is None):
                continue
            if value == float("inf"):
                self.reject(item.name, "must be finite")
            if not (
                (low is None or value >= low) and (high is None or value <= high) and (below is None or value < below)
            ):
                bounds = [
                    f"{word} {bound}"
                    for word, bound in (("at least", low), ("at most", high), ("below", below))
                    if bound is not None
                ]
                self.reject(item.name, f"must be {' and '.join(bounds)}")

    def require_positive(self, key: str, allowed: str = "must be more than 0 and finite") -> None:
        """Check that the value of a key, where it has one, is more than 0 and finite; ``allowed`` says so in words.

        Raises:
            UserError: it is not.
        """
        value = getattr(self, key)
        if value is not None and not is_positive(value):
            self.reject(key, allowed)

    def read_dictionaries(self, *keys: str, of: str) -> None:
        """Read dictionaries that came as text, with names that Hydra cannot read; ``of`` says what the names are of.

        Raises:
            UserError: a value is no dictionary, nor none.
        """
        for key in keys:
            value = mapping_of(getattr(self, key)) or None
            if not isinstance(value, dict | None):
                name = f"{self.group()}.{key}".removeprefix(".")
                self.reject(key, f"must be a dictionary of {of}s, as in '{name}={{<{of}>: <value>}}'")
            setattr(self, key, value)

    def reject(self, key: str, allowed: str) -> None:
        """Raise the one-line error about one key.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.group()}.{key}={getattr(self, key)}: {allowed}".removeprefix("."))

    def group(self) -> str:
        """Name of the configuration group; empty for keys at the top level."""
        return "config"
