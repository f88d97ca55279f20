"""Triton kernels for the leaky averages of :mod:`~surrogate_modeling.networks.scan` and their gradient (CUDA GPUs).

In operations of torch a scan is some 50 to 100 small kernels, each of which reads and writes its chunk of the rows;
here every number is read once and every state written once. Chunks of rows are scanned in registers, since affine maps
compose associatively (Blelloch 1990, Prefix sums and their applications), and a carry goes from chunk to chunk.

Shape letters: T rows (first axis), B batch, N states.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Rows and lanes (pairs of a case and a state) of a tile. Few lanes: small tiles, so that there are programs enough for
# the processors of the card; many: whole lines of its memory.
FEW_LANES = 16_384
SMALL_TILE, LARGE_TILE = (64, 8), (32, 32)


@triton.jit
def _then(keep_a, add_a, keep_b, add_b):  # type: ignore[no-untyped-def]
    """Compose two affine maps: x -> keep_a x + add_a, then x -> keep_b x + add_b."""
    return keep_a * keep_b, add_a * keep_b + add_b


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    move, value, start, states, rows, lanes, width,
    move_t, move_b, move_n, value_t, value_b, value_n,
    ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    case, unit = lane // width, lane % width
    carry = tl.load(start + lane, mask=inside, other=0.0)
    of_move, of_value = case * move_b + unit * move_n, case * value_b + unit * value_n
    place = tl.arange(0, ROWS)
    for first in range(0, rows, ROWS):
        t = (first + place).to(tl.int64)
        used = (t < rows)[:, None] & inside[None, :]
        moved = tl.load(move + t[:, None] * move_t + of_move[None, :], mask=used, other=0.0)
        wanted = tl.load(value + t[:, None] * value_t + of_value[None, :], mask=used, other=0.0)
        keep, add = tl.associative_scan((1.0 - moved, moved * wanted), 0, _then)
        state = add + keep * carry[None, :]
        tl.store(states + t[:, None] * lanes + lane[None, :], state, mask=used)
        carry = tl.sum(tl.where((place == ROWS - 1)[:, None], state, 0.0), axis=0)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    grad, move, value, start, states, grad_move, grad_value, grad_start, rows, lanes, width,
    move_t, move_b, move_n, value_t, value_b, value_n,
    ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = lane < lanes
    case, unit = lane // width, lane % width
    begin = tl.load(start + lane, mask=inside, other=0.0)
    of_move, of_value = case * move_b + unit * move_n, case * value_b + unit * value_n
    place = tl.arange(0, ROWS)
    carry = tl.zeros((LANES,), tl.float32)
    # What a state adds to the loss through all later ones, scanned from the last row to the first.
    for first in range(0, rows, ROWS):
        t = (rows - 1 - first - place).to(tl.int64)
        used = (t >= 0)[:, None] & inside[None, :]
        later = used & (t < rows - 1)[:, None]
        kept = 1.0 - tl.load(move + (t[:, None] + 1) * move_t + of_move[None, :], mask=later, other=0.0)
        given = tl.load(grad + t[:, None] * lanes + lane[None, :], mask=used, other=0.0)
        keep, add = tl.associative_scan((kept, given), 0, _then)
        total = add + keep * carry[None, :]
        moved = tl.load(move + t[:, None] * move_t + of_move[None, :], mask=used, other=0.0)
        wanted = tl.load(value + t[:, None] * value_t + of_value[None, :], mask=used, other=0.0)
        before = tl.load(states + (t[:, None] - 1) * lanes + lane[None, :], mask=used & (t > 0)[:, None], other=0.0)
        before = tl.where((t == 0)[:, None], begin[None, :], before)
        tl.store(grad_move + t[:, None] * lanes + lane[None, :], (wanted - before) * total, mask=used)
        tl.store(grad_value + t[:, None] * lanes + lane[None, :], moved * total, mask=used)
        first_row = used & (t == 0)[:, None]
        at_start = tl.sum(tl.where(first_row, (1.0 - moved) * total, 0.0), axis=0)
        tl.store(grad_start + lane, at_start, mask=inside)
        carry = tl.sum(tl.where((place == ROWS - 1)[:, None], total, 0.0), axis=0)


def scan(move: Tensor, value: Tensor, start: Tensor) -> Tensor:
    """Leaky averages as in :func:`~surrogate_modeling.networks.scan.leaky_scan`: float32 on a CUDA GPU, no gradient."""
    start = start.contiguous()
    states = torch.empty(value.shape, dtype=value.dtype, device=value.device)
    rows, lanes, width, tile, grid = _plan(value)
    _forward[grid](
        move, value, start, states, rows, lanes, width, *move.stride(), *value.stride(), ROWS=tile[0], LANES=tile[1]
    )
    return states


def scan_gradient(
    grad: Tensor, move: Tensor, value: Tensor, start: Tensor, states: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of ``move``, ``value`` (T, B, N) and ``start`` (B, N) from that of the states (T, B, N)."""
    grad, start = grad.contiguous(), start.contiguous()
    of_move, of_value, of_start = torch.empty_like(grad), torch.empty_like(grad), torch.empty_like(start)
    rows, lanes, width, tile, grid = _plan(value)
    _backward[grid](
        grad, move, value, start, states, of_move, of_value, of_start, rows, lanes, width,
        *move.stride(), *value.stride(), ROWS=tile[0], LANES=tile[1],
    )  # fmt: skip
    return of_move, of_value, of_start


def _plan(value: Tensor) -> tuple[int, int, int, tuple[int, int], tuple[int]]:
    """Launch plan of the kernels: rows, lanes, states, tile and grid."""
    rows, cases, width = value.shape
    lanes = cases * width
    tile = SMALL_TILE if lanes <= FEW_LANES else LARGE_TILE
    return rows, lanes, width, tile, (triton.cdiv(lanes, tile[1]),)
