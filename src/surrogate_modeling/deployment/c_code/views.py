"""The operations that only change the view of memory, gathering and joining; as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from surrogate_modeling.deployment.c_code.builder import Array, Builder, TranslationError, contiguous, literal

aten = torch.ops.aten
# Numbers up to here are exact in float32.
MAX_COMPUTED_POSITIONS = 2**24


def view(b: Builder, x: Array, shape: Sequence[int]) -> Array:
    """The same elements in another shape; copied first where memory is not in order."""
    x = b.dense(x)
    shape = list(shape)
    if -1 in shape:
        shape[shape.index(-1)] = x.size // -math.prod(shape)
    return Array(x.base, tuple(shape), contiguous(shape), x.offset)


def permute(_: Builder, x: Array, dims: Sequence[int]) -> Array:
    """Reorder the dimensions."""
    return Array(x.base, tuple(x.shape[d] for d in dims), tuple(x.strides[d] for d in dims), x.offset)


def transpose(b: Builder, x: Array, first: int, second: int) -> Array:
    """Swap two dimensions."""
    dims = list(range(len(x.shape)))
    dims[first], dims[second] = dims[second], dims[first]
    return permute(b, x, dims)


def matrix_transpose(b: Builder, x: Array) -> Array:
    """Transpose of a matrix; a vector stays as it is."""
    return x if len(x.shape) < 2 else transpose(b, x, 0, 1)


def expand(_: Builder, x: Array, shape: Sequence[int]) -> Array:
    """Repeat dimensions of size 1, and add leading dimensions, to reach ``shape``; -1 keeps a size."""
    extra = len(shape) - len(x.shape)
    sizes = (1,) * extra + x.shape
    return x.broadcast([own if size == -1 else size for size, own in zip(shape, sizes, strict=True)])


def unsqueeze(_: Builder, x: Array, dim: int) -> Array:
    """Insert a dimension of size 1."""
    dim %= len(x.shape) + 1
    return Array(x.base, (*x.shape[:dim], 1, *x.shape[dim:]), (*x.strides[:dim], 0, *x.strides[dim:]), x.offset)


def squeeze(_: Builder, x: Array, dims: int | Sequence[int] | None = None) -> Array:
    """Remove dimensions of size 1."""
    given_dims = range(len(x.shape)) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {d % len(x.shape) for d in given_dims if x.shape[d] == 1}
    kept = [d for d in range(len(x.shape)) if d not in gone]
    return Array(x.base, tuple(x.shape[d] for d in kept), tuple(x.strides[d] for d in kept), x.offset)


def select(_: Builder, x: Array, dim: int, index: int) -> Array:
    """One index of a dimension, which is removed."""
    dim %= len(x.shape)
    offset = x.offset + (index % x.shape[dim]) * x.strides[dim]
    return Array(x.base, x.shape[:dim] + x.shape[dim + 1 :], x.strides[:dim] + x.strides[dim + 1 :], offset)


def cut(_: Builder, x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    """Slice of a dimension."""
    dim %= len(x.shape)
    first, last, step = slice(start, end, step).indices(x.shape[dim])
    size = len(range(first, last, step))
    shape = (*x.shape[:dim], size, *x.shape[dim + 1 :])
    strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :])
    return Array(x.base, shape, strides, x.offset + first * x.strides[dim])


def split_sizes(b: Builder, x: Array, sizes: Sequence[int], dim: int = 0) -> list[Array]:
    """Split a dimension into parts of given sizes."""
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [cut(b, x, dim, end - size, end) for size, end in zip(sizes, ends, strict=True)]


def split(b: Builder, x: Array, size: int, dim: int = 0) -> list[Array]:
    """Split a dimension into parts of one size; the last may be shorter."""
    whole = x.shape[dim]
    return split_sizes(b, x, [min(size, whole - start) for start in range(0, whole, size)], dim)


def unbind(b: Builder, x: Array, dim: int = 0) -> list[Array]:
    """Arrays of each index of a dimension."""
    return [select(b, x, dim, i) for i in range(x.shape[dim])]


def cat(b: Builder, parts: Sequence[Array], dim: int = 0) -> Array:
    """Parts one after another along a dimension, copied into a new array; empty parts are left out as torch does."""
    parts = [part for part in parts if part.size]
    dim %= len(parts[0].shape)
    total = sum(part.shape[dim] for part in parts)
    result = b.new((*parts[0].shape[:dim], total, *parts[0].shape[dim + 1 :]))
    start = 0
    for part in parts:
        b.copy(part, cut(b, result, dim, start, start + part.shape[dim]))
        start += part.shape[dim]
    return result


def stack(b: Builder, parts: Sequence[Array], dim: int = 0) -> Array:
    """Join arrays along a new dimension."""
    return cat(b, [unsqueeze(b, part, dim) for part in parts], dim)


def repeat(b: Builder, x: Array, counts: Sequence[int]) -> Array:
    """Copies of an array along its dimensions."""
    extra = len(counts) - len(x.shape)
    result = Array(x.base, (1,) * extra + x.shape, (0,) * extra + x.strides, x.offset)
    for dim, times in enumerate(counts):
        result = cat(b, [result] * times, dim) if times > 1 else result
    return result


def pad(b: Builder, x: Array, amounts: Sequence[int], value: float = 0) -> Array:
    """Amounts come as (before, after) pairs from the last dimension on."""
    if min(amounts) < 0:
        raise TranslationError("padding by a negative amount")
    pairs = [(0, 0)] * (len(x.shape) - len(amounts) // 2) + list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]
    result = b.new([size + before + after for size, (before, after) in zip(x.shape, pairs, strict=True)])
    b.loop(result.shape, lambda i: [f"{result.at(i)} = {literal(value)};"])
    inner = result
    for dim, (before, _) in enumerate(pairs):
        inner = cut(b, inner, dim, before, before + x.shape[dim])
    b.copy(x, inner)
    return result


def index_select(b: Builder, x: Array | Tensor, dim: int, index: Array | Tensor) -> Array:
    """Rows of one dimension, in an order that is known at translation or computed."""
    dim %= len(x.shape)
    if isinstance(x, Array) and isinstance(index, Tensor) and index.ndim == 1:
        return cat(b, [cut(b, x, dim, i % x.shape[dim], i % x.shape[dim] + 1) for i in index.tolist()], dim)
    x, index = _computed_positions(b, x, dim, index)
    rank = len(index.shape)
    result = b.new((*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]))

    def copied(i: list[str]) -> list[str]:
        """Copy the element at the position that is computed."""
        place = f"position({index.at(i[dim : dim + rank])}, {x.shape[dim]})"
        return [f"{result.at(i)} = {x.at([*i[:dim], place, *i[dim + rank :]])};"]

    b.loop(result.shape, copied)
    return result


def gather(b: Builder, x: Array | Tensor, dim: int, index: Array | Tensor) -> Array:
    """Elements along one dimension, each at its own computed position."""
    dim %= len(x.shape)
    x, index = _computed_positions(b, x, dim, index)
    result = b.new(index.shape)

    def copied(i: list[str]) -> list[str]:
        """Copy the element at the position that is computed."""
        place = f"position({index.at(i)}, {x.shape[dim]})"
        return [f"{result.at(i)} = {x.at([*i[:dim], place, *i[dim + 1 :]])};"]

    b.loop(result.shape, copied)
    return result


def _computed_positions(b: Builder, x: Array | Tensor, dim: int, index: Array | Tensor) -> tuple[Array, Array]:
    """Both as arrays; computed positions are floats there, which are exact up to a limit."""
    if x.shape[dim] > MAX_COMPUTED_POSITIONS:
        raise TranslationError(f"computed positions among more than {MAX_COMPUTED_POSITIONS} elements")
    array, positions = (part if isinstance(part, Array) else b.constants.add(part) for part in (x, index))
    return array, positions


def index_tensor(b: Builder, x: Array | Tensor, indices: Sequence[Any]) -> Array:
    """Rows of one dimension by an index tensor."""
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1:
        raise TranslationError("indexing in several dimensions at once")
    return index_select(b, x, *given[0])


def flip(_: Builder, x: Array, dims: Sequence[int]) -> Array:
    """Reverse dimensions."""
    strides, offset = list(x.strides), x.offset
    for dim in dims:
        offset += (x.shape[dim] - 1) * strides[dim]
        strides[dim] = -strides[dim]
    return Array(x.base, x.shape, tuple(strides), offset)


def same(_b: Builder, x: Array, *_: Any, **__: Any) -> Array:
    """Operations that change nothing here: copies, dropout in evaluation, conversions among float types."""
    return x


def full_like(_: Builder, x: Array, value: float) -> Tensor:
    """One value in every place: known without the array."""
    return torch.full(x.shape, value)


VIEWS: dict[Any, Callable[..., Any]] = {
    aten.view.default: view,
    aten._unsafe_view.default: view,
    aten.reshape.default: view,
    aten.permute.default: permute,
    aten.transpose.int: transpose,
    aten.t.default: matrix_transpose,
    aten.expand.default: expand,
    aten.unsqueeze.default: unsqueeze,
    aten.squeeze.default: squeeze,
    aten.squeeze.dim: squeeze,
    aten.squeeze.dims: squeeze,
    aten.select.int: select,
    aten.slice.Tensor: cut,
    aten.split.Tensor: split,
    aten.split_with_sizes.default: split_sizes,
    aten.unbind.int: unbind,
    aten.cat.default: cat,
    aten.stack.default: stack,
    aten.index.Tensor: index_tensor,
    aten.index_select.default: index_select,
    aten.gather.default: gather,
    aten.flip.default: flip,
    aten.repeat.default: repeat,
    aten.constant_pad_nd.default: pad,
    aten.full_like.default: full_like,
    aten.clone.default: same,
    aten.alias.default: same,
    aten.detach.default: same,
    aten.contiguous.default: same,
    aten.lift_fresh_copy.default: same,
    aten.dropout.default: same,
    aten._to_copy.default: same,
    aten._assert_tensor_metadata.default: same,
}
