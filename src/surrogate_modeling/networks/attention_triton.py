"""Attention over a few tokens as one Triton kernel each way, for CUDA GPUs.

A past window is ten tokens long. The kernels of libraries are made for thousands: they spend a block of threads and a
tile of 64 or 128 rows on each head of each window, most of them empty. Here a head of a window is one warp and one
small tile, read from and written to the tensors of the linear layers as they lie.

Shape letters: B batch, Q tokens that are read, L tokens, D token size.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

MAX_TOKENS = 32
HEAD_SIZES = (16, 32, 64, 128)


@triton.jit
def _weights(queries, keys, length, scale, TOKENS: tl.constexpr, PRECISION: tl.constexpr):  # type: ignore[no-untyped-def]
    """Softmax over the valid tokens; padded ones get weight 0."""
    score = tl.dot(queries, tl.trans(keys), input_precision=PRECISION) * scale
    score = tl.where((tl.arange(0, TOKENS) < length)[None, :], score, float("-inf"))
    weight = tl.exp(score - tl.max(score, axis=1)[:, None])
    return weight / tl.sum(weight, axis=1)[:, None]


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    query, key_value, out, heads, rows, length, scale,
    QUERIES: tl.constexpr, TOKENS: tl.constexpr, SIZE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    pair = tl.program_id(0).to(tl.int64)
    window, head = pair // heads, pair % heads
    dim = heads * SIZE
    place = head * SIZE + tl.arange(0, SIZE)
    q, t = tl.arange(0, QUERIES), tl.arange(0, TOKENS)
    of_query = (window * rows + q)[:, None] * dim + place[None, :]
    of_key = (window * length + t)[:, None] * (2 * dim) + place[None, :]
    queries = tl.load(query + of_query, mask=(q < rows)[:, None], other=0.0)
    keys = tl.load(key_value + of_key, mask=(t < length)[:, None], other=0.0)
    values = tl.load(key_value + of_key + dim, mask=(t < length)[:, None], other=0.0)
    weight = _weights(queries, keys, length, scale, TOKENS, PRECISION)
    mixed = tl.dot(weight.to(values.dtype), values, input_precision=PRECISION)
    tl.store(out + of_query, mixed.to(values.dtype), mask=(q < rows)[:, None])


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    grad, query, key_value, grad_query, grad_key_value, heads, rows, length, scale,
    QUERIES: tl.constexpr, TOKENS: tl.constexpr, SIZE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    pair = tl.program_id(0).to(tl.int64)
    window, head = pair // heads, pair % heads
    dim = heads * SIZE
    place = head * SIZE + tl.arange(0, SIZE)
    q, t = tl.arange(0, QUERIES), tl.arange(0, TOKENS)
    of_query = (window * rows + q)[:, None] * dim + place[None, :]
    of_key = (window * length + t)[:, None] * (2 * dim) + place[None, :]
    queries = tl.load(query + of_query, mask=(q < rows)[:, None], other=0.0)
    upstream = tl.load(grad + of_query, mask=(q < rows)[:, None], other=0.0)
    keys = tl.load(key_value + of_key, mask=(t < length)[:, None], other=0.0)
    values = tl.load(key_value + of_key + dim, mask=(t < length)[:, None], other=0.0)
    weight = _weights(queries, keys, length, scale, TOKENS, PRECISION)
    of_weight = tl.dot(upstream, tl.trans(values), input_precision=PRECISION)
    of_score = weight * (of_weight - tl.sum(weight * of_weight, axis=1)[:, None]) * scale
    of_score = of_score.to(keys.dtype)
    for_value = tl.dot(tl.trans(weight.to(keys.dtype)), upstream, input_precision=PRECISION)
    for_query = tl.dot(of_score, keys, input_precision=PRECISION)
    for_key = tl.dot(tl.trans(of_score), queries, input_precision=PRECISION)
    tl.store(grad_query + of_query, for_query.to(keys.dtype), mask=(q < rows)[:, None])
    tl.store(grad_key_value + of_key, for_key.to(keys.dtype), mask=(t < length)[:, None])
    tl.store(grad_key_value + of_key + dim, for_value.to(keys.dtype), mask=(t < length)[:, None])


def supports(query: Tensor, key_value: Tensor, heads: int) -> bool:
    """Whether the kernels support these sizes."""
    return key_value.shape[1] <= MAX_TOKENS and query.shape[2] // heads in HEAD_SIZES


def attend(query: Tensor, key_value: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2), without dropout.

    Args:
        query: (B, Q, D).
        key_value: (B, L, 2 D), keys and values of all heads side by side.
        heads: split D evenly.

    Returns:
        (B, Q, D).
    """
    return _Attention.apply(query, key_value, heads)


class _Attention(torch.autograd.Function):
    """Attention as an autograd function; backward computes the weights again, which costs less than reading them."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key_value: Tensor, heads: int) -> Tensor:
        """Attention output, of the shape of query; arguments as in :func:`attend`."""
        query, key_value = query.contiguous(), key_value.contiguous()
        ctx.save_for_backward(query, key_value)
        ctx.heads = heads
        out = torch.empty_like(query)
        plan, sizes = _plan(query, key_value, heads)
        _forward[(len(query) * heads,)](query, key_value, out, *plan, **sizes)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of query and key_value."""
        query, key_value = ctx.saved_tensors
        for_query, for_key_value = torch.empty_like(query), torch.empty_like(key_value)
        plan, sizes = _plan(query, key_value, ctx.heads)
        _backward[(len(query) * ctx.heads,)](
            grad.contiguous(), query, key_value, for_query, for_key_value, *plan, **sizes
        )
        return for_query, for_key_value, None


def _plan(query: Tensor, key_value: Tensor, heads: int) -> tuple[tuple[int, int, int, float], dict[str, Any]]:
    """Kernel arguments that follow from the sizes: positional ones and constants by name."""
    rows, length, size = query.shape[1], key_value.shape[1], query.shape[2] // heads
    exact = torch.get_float32_matmul_precision() == "highest"
    sizes = {
        # The least tile of a matrix unit is 16 rows.
        "QUERIES": max(16, triton.next_power_of_2(rows)),
        "TOKENS": max(16, triton.next_power_of_2(length)),
        "SIZE": size,
        "PRECISION": "ieee" if exact else "tf32",
        "num_warps": 1 if size <= 32 else size // 32,
    }
    return (heads, rows, length, size**-0.5), sizes
