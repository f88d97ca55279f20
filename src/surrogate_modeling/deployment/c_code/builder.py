"""Build the text of one function, in C or JavaScript: arrays, loops and constants.

An array has strides over memory, as in PyTorch: views (permute, expand, slice, ...) cost nothing, and a loop that
reads one follows its strides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surrogate_modeling.deployment.c_code.dialects import C, Dialect


class TranslationError(Exception):
    """An operation of the network has no counterpart here."""


@dataclass(frozen=True)
class Array:
    """Array of floats within the memory named ``base``; sizes, strides and offset are in elements."""

    base: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """Whether the last dimension runs fastest, without gaps."""
        return all(
            size == 1 or stride == expected
            for size, stride, expected in zip(self.shape, self.strides, contiguous(self.shape), strict=True)
        )

    def at(self, indices: Sequence[str]) -> str:
        """Expression of the element at these index expressions, one per dimension."""
        terms = [
            index if stride == 1 else f"{index} * {stride}"
            for index, size, stride in zip(indices, self.shape, self.strides, strict=True)
            if size > 1 and stride
        ]
        if self.offset or not terms:
            terms.append(str(self.offset))
        return f"{self.base}[{' + '.join(terms)}]"

    def broadcast(self, shape: Sequence[int]) -> Array:
        """View with that shape: sizes of 1 are repeated."""
        extra = len(shape) - len(self.shape)
        own = ((1,) * extra + self.shape, (0,) * extra + self.strides)
        strides = tuple(
            0 if size == 1 and wanted > 1 else stride for size, stride, wanted in zip(*own, shape, strict=True)
        )
        return Array(self.base, tuple(shape), strides, self.offset)


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of an array whose last dimension runs fastest."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


@dataclass
class Constants:
    """Weights shared by the functions of one file, as ``static const float`` arrays; equal ones are written once.

    Attributes:
        text: definitions of the arrays.
    """

    arrays: dict[tuple[tuple[int, ...], bytes], Array] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)

    def add(self, values: Tensor) -> Array:
        """Add a tensor; returns it as an array of the file."""
        values = values.detach().to("cpu", torch.float32).contiguous()
        key = (tuple(values.shape), values.numpy().tobytes())
        if key not in self.arrays:
            base, offset = self._place(values)
            self.arrays[key] = Array(base, tuple(values.shape), contiguous(values.shape), offset)
        return self.arrays[key]

    def _place(self, values: Tensor) -> tuple[str, int]:
        """Write a tensor; returns the name of its memory and its first position there."""
        self.text.append(c_array(name := f"k{len(self.text)}", values))
        return name, 0


@dataclass
class PackedConstants(Constants):
    """Weights one after another in the memory ``k``, for a page.

    Attributes:
        values: of the memory, float32.
    """

    values: bytearray = field(default_factory=bytearray)

    def _place(self, values: Tensor) -> tuple[str, int]:
        """Append a tensor; returns the name of the memory and its first position there."""
        offset = len(self.values) // 4
        self.values += values.numpy().astype("<f4").tobytes()
        return "k", offset


def c_array(name: str, values: Tensor) -> str:
    """C definition of a constant array, each float32 with the digits that restore it exactly."""
    numbers = [literal(value) for value in values.flatten().tolist()]
    lines = [", ".join(numbers[i : i + 12]) for i in range(0, len(numbers), 12)]
    body = ",\n".join(lines)
    return f"static const float {name}[{max(1, len(numbers))}] = {{\n{body}\n}};"


def literal(value: float) -> str:
    """C literal of a float."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


class Builder:
    """Builder of one function: its statements, and the workspace ``w`` that holds its results.

    Args:
        constants: of the file.
        dialect: of the language.
    """

    def __init__(self, constants: Constants, dialect: Dialect | None = None) -> None:
        self.constants = constants
        self.dialect = dialect or C()
        self.statements: list[list[str]] = []
        self.workspace = 0

    def new(self, shape: Sequence[int]) -> Array:
        """New array in the workspace."""
        start = self.workspace
        self.workspace += max(1, math.prod(shape))
        return Array("w", tuple(shape), contiguous(shape), start)

    def emit(self, line: str) -> None:
        """Append one statement."""
        self.statements.append([self.dialect.line(line)])

    def pointer(self, array: Array | None) -> str:
        """Arguments that tell a routine where an array begins; of None, that there is none."""
        return self.dialect.null if array is None else self.dialect.pointer(array.base, array.offset)

    def loop(self, shape: Sequence[int], body: Callable[[list[str]], list[str]]) -> None:
        """Emit nested loops over a shape; sizes of 1 need none.

        Args:
            shape: of the loops.
            body: index expressions -> statements.
        """
        indices = [f"i{axis}" if size > 1 else "0" for axis, size in enumerate(shape)]
        looped = [(f"i{axis}", size) for axis, size in enumerate(shape) if size > 1]
        heads = ["    " * depth + self.dialect.loop(*loop) for depth, loop in enumerate(looped)]
        inner = ["    " * len(looped) + self.dialect.line(statement) for statement in body(indices)]
        self.statements.append([*heads, *inner, *("    " * depth + "}" for depth in range(len(looped) - 1, -1, -1))])

    def elementwise(self, inputs: Sequence[Array], expression: Callable[..., str]) -> Array:
        """Emit a new array, each element computed from the broadcast elements of the inputs.

        Args:
            inputs: arrays.
            expression: expressions of their elements -> expression, as in C.
        """
        shape = torch.broadcast_shapes(*(array.shape for array in inputs))
        result = self.new(shape)
        wide = [array.broadcast(shape) for array in inputs]
        self.loop(shape, lambda i: [f"{result.at(i)} = {expression(*(array.at(i) for array in wide))};"])
        return result

    def dense(self, array: Array) -> Array:
        """The array itself when it is contiguous, else a contiguous copy."""
        return array if array.is_contiguous else self.elementwise([array], lambda x: x)

    def copy(self, source: Array, target: Array) -> None:
        """Emit a copy, element by element, into an array of the same shape."""
        self.loop(source.shape, lambda i: [f"{target.at(i)} = {source.at(i)};"])
