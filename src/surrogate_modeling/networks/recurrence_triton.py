"""Triton kernels for the recurrence of :mod:`~surrogate_modeling.networks.recurrence` and its gradient (CUDA GPUs).

Row by row in operations of torch, a trajectory of 600 rows is thousands of small kernels. Here one kernel goes through
all rows of sixteen cases, with the weights and the state in registers.

Shape letters: T rows, B batch, N states, H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

CASES = 16
# Sizes whose weights fit the registers.
MAX_STATES, MAX_HIDDEN_UNITS = 64, 128


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    start, drive, hidden, linear, inner, outer, states, activated, rows, batch, size, width, bound,
    CASES: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0) * CASES + tl.arange(0, CASES)
    n, k, h = tl.arange(0, SIZE), tl.arange(0, SIZE), tl.arange(0, WIDTH)
    of_state, has_state = b[:, None] * size + n[None, :], (b < batch)[:, None] & (n < size)[None, :]
    of_hidden, has_hidden = b[:, None] * width + h[None, :], (b < batch)[:, None] & (h < width)[None, :]
    # Transposed: a state is a row here.
    a = tl.load(linear + n[None, :] * size + k[:, None], mask=(n < size)[None, :] & (k < size)[:, None], other=0.0)
    w1 = tl.load(inner + h[None, :] * size + k[:, None], mask=(h < width)[None, :] & (k < size)[:, None], other=0.0)
    w2 = tl.load(outer + n[None, :] * width + h[:, None], mask=(n < size)[None, :] & (h < width)[:, None], other=0.0)
    x = tl.load(start + of_state, mask=has_state, other=0.0)
    tl.store(states + of_state, x, mask=has_state)
    for t in range(rows):
        row = tl.cast(t, tl.int64) * batch
        z = tl.load(hidden + row * width + of_hidden, mask=has_hidden, other=0.0)
        v = tl.load(drive + row * size + of_state, mask=has_state, other=0.0)
        # tanh
        active = 2.0 * tl.sigmoid(2.0 * (z + tl.dot(x, w1, input_precision="ieee"))) - 1.0
        tl.store(activated + row * width + of_hidden, active, mask=has_hidden)
        x = v + tl.dot(x, a, input_precision="ieee") + tl.dot(active, w2, input_precision="ieee")
        # A state that is no number stays none.
        x = tl.where(x > bound, bound, tl.where(x < -bound, -bound, x))
        tl.store(states + (row + batch) * size + of_state, x, mask=has_state)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    grad, states, activated, linear, inner, outer, grad_start, grad_drive, grad_hidden, rows, batch, size, width, bound,
    CASES: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0) * CASES + tl.arange(0, CASES)
    n, k, h = tl.arange(0, SIZE), tl.arange(0, SIZE), tl.arange(0, WIDTH)
    of_state, has_state = b[:, None] * size + n[None, :], (b < batch)[:, None] & (n < size)[None, :]
    of_hidden, has_hidden = b[:, None] * width + h[None, :], (b < batch)[:, None] & (h < width)[None, :]
    a = tl.load(linear + k[:, None] * size + n[None, :], mask=(k < size)[:, None] & (n < size)[None, :], other=0.0)
    w1 = tl.load(inner + h[:, None] * size + n[None, :], mask=(h < width)[:, None] & (n < size)[None, :], other=0.0)
    w2 = tl.load(outer + k[:, None] * width + h[None, :], mask=(k < size)[:, None] & (h < width)[None, :], other=0.0)
    g = tl.load(grad + tl.cast(rows, tl.int64) * batch * size + of_state, mask=has_state, other=0.0)
    for step in range(rows):
        t = rows - 1 - step
        row = tl.cast(t, tl.int64) * batch
        after = tl.load(states + (row + batch) * size + of_state, mask=has_state, other=0.0)
        active = tl.load(activated + row * width + of_hidden, mask=has_hidden, other=0.0)
        upstream = tl.load(grad + row * size + of_state, mask=has_state, other=0.0)
        g = tl.where(tl.abs(after) >= bound, 0.0, g)
        tl.store(grad_drive + row * size + of_state, g, mask=has_state)
        of_active = tl.dot(g, w2, input_precision="ieee") * (1.0 - active * active)
        tl.store(grad_hidden + row * width + of_hidden, of_active, mask=has_hidden)
        g = upstream + tl.dot(g, a, input_precision="ieee") + tl.dot(of_active, w1, input_precision="ieee")
    tl.store(grad_start + of_state, g, mask=has_state)


def supports(drive: Tensor, hidden: Tensor) -> bool:
    """Whether the kernels take inputs of these sizes: their weights must fit the registers."""
    return drive.dtype is torch.float32 and drive.shape[2] <= MAX_STATES and hidden.shape[2] <= MAX_HIDDEN_UNITS


def run_states(
    start: Tensor, drive: Tensor, hidden: Tensor, weights: tuple[Tensor, Tensor, Tensor], bound: float
) -> Tensor:
    """All states (T + 1, B, N) of the recurrence, float32 on a CUDA GPU; differentiable.

    Arguments as in :func:`~surrogate_modeling.networks.recurrence.run_states`.
    """
    states: Tensor = _Recurrence.apply(bound, start, drive, hidden, *weights)
    return states


class _Recurrence(torch.autograd.Function):
    """The recurrence as an autograd function; its gradient runs backwards in time over the saved states."""

    @staticmethod
    def forward(ctx: Any, bound: float, *inputs: Tensor) -> Tensor:
        """States (T + 1, B, N) from start, drive, hidden, A, W1 and W2."""
        start, drive, hidden, linear, inner, outer = (part.contiguous() for part in inputs)
        rows, batch, size = drive.shape
        states, activated = drive.new_empty(rows + 1, batch, size), torch.empty_like(hidden)
        sizes, tiles = _plan(drive, hidden)
        grid = (triton.cdiv(batch, CASES),)
        _forward[grid](start, drive, hidden, linear, inner, outer, states, activated, *sizes, bound, **tiles)
        ctx.save_for_backward(states, activated, linear, inner, outer)
        ctx.bound = bound
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs of :meth:`forward`, none for ``bound``."""
        states, activated, linear, inner, outer = ctx.saved_tensors
        grad = grads[0].contiguous()
        of_start, of_drive, of_hidden = (
            torch.empty_like(grad[0]),
            torch.empty_like(grad[1:]),
            torch.empty_like(activated),
        )
        sizes, tiles = _plan(of_drive, of_hidden)
        grid = (triton.cdiv(of_drive.shape[1], CASES),)
        _backward[grid](
            grad, states, activated, linear, inner, outer, of_start, of_drive, of_hidden, *sizes, ctx.bound, **tiles
        )
        before = states[:-1].flatten(0, 1)
        moved, active = of_drive.flatten(0, 1), of_hidden.flatten(0, 1)
        of_weights = moved.T @ before, active.T @ before, moved.T @ activated.flatten(0, 1)
        return None, of_start, of_drive, of_hidden, *of_weights


def _plan(drive: Tensor, hidden: Tensor) -> tuple[tuple[int, int, int, int], dict[str, int]]:
    """Sizes (rows, cases, states, hidden units) and tiles of the kernels; no side of a product is below 16."""
    rows, batch, size = drive.shape
    width = hidden.shape[2]
    tiles = {
        "CASES": CASES,
        "SIZE": max(16, triton.next_power_of_2(size)),
        "WIDTH": max(16, triton.next_power_of_2(width)),
    }
    return (rows, batch, size, width), tiles
