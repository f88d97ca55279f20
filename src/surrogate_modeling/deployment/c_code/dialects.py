"""The languages that a network is written in: C, and JavaScript for a page.

Statements are written in what the two have in common (subscripts, arithmetic, ``a ? b : c``, the names of C's math
functions for ``float``, which ``routines.js`` defines for JavaScript); a dialect says the rest.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count

# A number with C's mark of a ``float``.
FLOAT = re.compile(r"\b(\d+\.?\d*(?:e[+-]?\d+)?)f\b")
# Engines of JavaScript leave functions alone whose code is longer than some 60 kB when compiled: they run 30 times
# slower. A page is as fast with functions of a tenth of that.
MAX_LINES = 150
Statement = Sequence[str]


class Dialect(ABC):
    """What differs between the languages.

    Attributes:
        null: a pointer to nothing, as an argument.
    """

    null: str

    @abstractmethod
    def loop(self, index: str, size: int) -> str:
        """Head of a loop over 0 .. size - 1."""

    @abstractmethod
    def line(self, text: str) -> str:
        """One line of a statement that was written in C."""

    @abstractmethod
    def pointer(self, base: str, offset: int) -> str:
        """Arguments that tell a routine where an array begins."""

    @abstractmethod
    def function(self, name: str, inputs: int, outputs: int, statements: Sequence[Statement]) -> str:
        """Definition of a function of arrays ``in0``, ``out0``, ... and the workspace ``w``."""


class C(Dialect):
    """C99."""

    null = "0"

    def loop(self, index: str, size: int) -> str:
        """Head of a loop over 0 .. size - 1."""
        return f"for (int {index} = 0; {index} < {size}; {index}++) {{"

    def line(self, text: str) -> str:
        """The text itself."""
        return text

    def pointer(self, base: str, offset: int) -> str:
        """A pointer."""
        return f"{base} + {offset}" if offset else base

    def function(self, name: str, inputs: int, outputs: int, statements: Sequence[Statement]) -> str:
        """``static void name(const float *in0, ..., float *out0, ..., float *w)``."""
        parameters = [f"const float *in{i}" for i in range(inputs)] + [f"float *out{i}" for i in range(outputs)]
        head = f"static void {name}({', '.join(parameters)}, float *w)"
        return "\n".join([head, "{", *_indented(statements), "    (void)w;", "}"])


class JavaScript(Dialect):
    """JavaScript on ``Float32Array``: what is stored is rounded to float32, what is computed in between is not."""

    null = "null, 0"

    def loop(self, index: str, size: int) -> str:
        """Head of a loop over 0 .. size - 1."""
        return f"for (let {index} = 0; {index} < {size}; {index}++) {{"

    def line(self, text: str) -> str:
        """Numbers without C's mark of a ``float``."""
        return FLOAT.sub(r"\1", text)

    def pointer(self, base: str, offset: int) -> str:
        """The array and a position in it: views of memory would be made anew at every call."""
        return f"{base}, {offset}"

    def function(self, name: str, inputs: int, outputs: int, statements: Sequence[Statement]) -> str:
        """``function name(in0, ..., out0, ..., w)``, which calls as many parts as it takes."""
        arguments = ", ".join([*(f"in{i}" for i in range(inputs)), *(f"out{i}" for i in range(outputs)), "w"])
        number, parts, lines = count(), list[str](), list[str]()
        for i, statement in enumerate(statements, start=1):
            lines += _indented([statement])
            if len(lines) >= MAX_LINES or i == len(statements):
                parts.append("\n".join([f"function {name}_{next(number)}({arguments}) {{", *lines, "}"]))
                lines = []
        calls = [f"    {name}_{i}({arguments});" for i in range(len(parts))]
        return "\n".join([*parts, f"function {name}({arguments}) {{", *calls, "}"])


def _indented(statements: Sequence[Statement]) -> list[str]:
    return [f"    {line}" for statement in statements for line in statement]
