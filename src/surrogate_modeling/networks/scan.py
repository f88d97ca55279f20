"""Leaky (exponential) averages over time as a parallel scan, without a step per row.

Shape letters: T rows (first axis), B batch, N states.
"""

from __future__ import annotations

import math
from itertools import pairwise
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from surrogate_modeling.networks.kernels import triton_form


def leaky_scan(move: Tensor, value: Tensor, start: Tensor) -> Tensor:
    """Leaky average of every row: x_t = (1 - move_t) x_(t-1) + move_t value_t.

    Args:
        move: (T, B, N).
        value: (T, B, N).
        start: (B, N), the state before the first row.

    Returns:
        States (T, B, N).
    """
    if len(move) == 1:
        return torch.addcmul(move * value, 1.0 - move, start)
    if torch.is_grad_enabled() and (move.requires_grad or value.requires_grad or start.requires_grad):
        return _Scan.apply(move, value, start)
    if torch.compiler.is_exporting():
        return _row_by_row(move, value, start)
    return _states(move, value, start)


def _states(move: Tensor, value: Tensor, start: Tensor) -> Tensor:
    if (kernels := _kernels(value)) is not None:
        return cast(Tensor, kernels.scan(move, value, start))
    return _scan(1.0 - move, move * value, start)


def _kernels(value: Tensor) -> ModuleType | None:
    """The Triton form, for float32 on a CUDA GPU; else None."""
    return triton_form("scan_triton", value) if value.dtype is torch.float32 else None


def _row_by_row(move: Tensor, value: Tensor, start: Tensor) -> Tensor:
    """Row by row, in operations that every export format supports."""
    states = [start]
    for t in range(len(move)):
        states.append(torch.addcmul(move[t] * value[t], 1.0 - move[t], states[-1]))
    return torch.stack(states[1:])


def _scan(keep: Tensor, add: Tensor, start: Tensor, step: int = 1) -> Tensor:
    """Scan x = keep x_before + add from the first row on, or (step -1) from the last; overwrites keep and add.

    About 2 sqrt(T) steps: chunks are scanned side by side from zero, then the carries between them.
    """
    rows = len(add)
    length = math.isqrt(rows - 1) + 1
    chunks = -(-rows // length)
    if surplus := chunks * length - rows:
        empty = keep.new_zeros(surplus, *keep.shape[1:])
        keep, add = torch.cat((keep, empty)), torch.cat((add, empty))
    keep, add = (part.unflatten(0, (chunks, length)) for part in (keep, add))
    inner, outer = range(length)[::step], range(chunks)[::step]
    for before, now in pairwise(inner):
        add[:, now].addcmul_(keep[:, now], add[:, before])
        keep[:, now].mul_(keep[:, before])
    carry = torch.empty_like(add[:, 0])
    carry[outer[0]] = start
    for before, now in pairwise(outer):
        torch.addcmul(add[before, inner[-1]], keep[before, inner[-1]], carry[before], out=carry[now])
    return add.addcmul_(keep, carry[:, None]).flatten(0, 1)[:rows]


class _Scan(torch.autograd.Function):
    """The scan as an autograd function; its gradient is a scan backwards in time."""

    @staticmethod
    def forward(ctx: Any, move: Tensor, value: Tensor, start: Tensor) -> Tensor:
        """States (T, B, N); arguments as in :func:`leaky_scan`."""
        states = _states(move, value, start)
        ctx.save_for_backward(move, value, start, states)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of move, value and start."""
        move, value, start, states = ctx.saved_tensors
        if (kernels := _kernels(value)) is not None:
            return cast(tuple[Tensor, Tensor, Tensor], kernels.scan_gradient(grad, move, value, start, states))
        later = torch.cat((1.0 - move[1:], torch.zeros_like(move[:1])))
        total = _scan(later, grad.clone(), torch.zeros_like(start), step=-1)
        departure = torch.empty_like(value)
        torch.sub(value[0], start, out=departure[0])
        torch.sub(value[1:], states[:-1], out=departure[1:])
        return departure.mul_(total), total * move, (1.0 - move[0]) * total[0]
