"""A part of many cases, so that several processes or machines share them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Self, TypeVar

from surrogate_modeling.common.errors import UserError

T = TypeVar("T")
WHOLE = "1/1"


class Part(NamedTuple):
    """The k-th of N parts: every N-th item from the k-th on, so that long and short ones are mixed."""

    number: int
    total: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``k/N``.

        Raises:
            UserError: it is not written so, or there is no such part.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"part={text}: give k/N with k from 1 to N, such as 1/4, 2/4, 3/4 and 4/4")
        return cls(int(match[1]), int(match[2]))

    @property
    def folder(self) -> str:
        """Name of the folder of what this part gives."""
        return f"part-{self.number}-of-{self.total}"

    def take(self, items: Sequence[T]) -> Sequence[T]:
        """The items of this part, in their order."""
        return items[self.number - 1 :: self.total]


ALL = Part.of(WHOLE)
