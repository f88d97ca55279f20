"""Linear recurrences over time, exactly, without a step per row.

Shape letters: T rows (first axis), B batch, N states.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def linear_scan(keep: Tensor, add: Tensor, start: Tensor) -> Tensor:
    """x_t = keep_t x_(t-1) + add_t.

    Args:
        keep: (T, B, N).
        add: (T, B, N).
        start: (B, N), the state before the first row.

    Returns:
        States (T, B, N).
    """
    if torch.is_grad_enabled() and (keep.requires_grad or add.requires_grad or start.requires_grad):
        return _Scan.apply(keep, add, start)
    return _chunked(keep, add, start)


def _chunked(keep: Tensor, add: Tensor, start: Tensor) -> Tensor:
    """About 2 sqrt(T) steps: chunks are scanned side by side from zero, then the carries between them."""
    rows = len(add)
    if rows == 1:
        return torch.addcmul(add, keep, start)
    length = math.isqrt(rows - 1) + 1
    chunks = -(-rows // length)
    if surplus := chunks * length - rows:
        empty = keep.new_zeros(surplus, *keep.shape[1:])
        keep, add = torch.cat((keep, empty)), torch.cat((add, empty))
    keep, add = (part.unflatten(0, (chunks, length)) for part in (keep, add))
    state, product = add[:, 0], keep[:, 0]
    local, decay = [state], [product]
    for j in range(1, length):
        state = torch.addcmul(add[:, j], keep[:, j], state)
        product = product * keep[:, j]
        local.append(state)
        decay.append(product)
    carries = [start]
    for k in range(chunks - 1):
        carries.append(torch.addcmul(state[k], product[k], carries[-1]))
    states = torch.addcmul(torch.stack(local, 1), torch.stack(decay, 1), torch.stack(carries)[:, None])
    return states.flatten(0, 1)[:rows]


class _Scan(torch.autograd.Function):
    """The gradient is the same scan backwards in time, which costs less than differentiating the chunks."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, add: Tensor, start: Tensor) -> Tensor:
        states = _chunked(keep, add, start)
        ctx.save_for_backward(keep, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        keep, states, start = ctx.saved_tensors
        later = torch.cat((keep[1:], torch.zeros_like(keep[:1]))).flip(0)
        grad_add = _chunked(later, grad.flip(0), torch.zeros_like(start)).flip(0)
        before = torch.cat((start[None], states[:-1]))
        return grad_add * before, grad_add, keep[0] * grad_add[0]
