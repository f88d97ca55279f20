"""States of x[t+1] = A x[t] + v[t] + W2 tanh(W1 x[t] + z[t]) over all rows, and their gradient.

PyTorch's loop over rows spends its time on starting small operations: on a CPU both directions are compiled instead
(numba), the batch in the innermost loop. The gradient runs backwards in time over the states that were kept.

Shape letters: T rows, B batch, N states, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from surrogate_modeling.networks.kernels import triton_form

# In units of the states. A trajectory that leaves it has run away; it stays there, finite, and carries no gradient.
BOUND = 1000.0
# tanh(x) = x A(x^2) / B(x^2) up to this size of x, beyond which it is 1 in single precision.
TANH_LIMIT = np.float32(7.90531110763549805)
TANH_ABOVE = tuple(
    map(
        np.float32,
        (4.89352455891786e-3, 6.37261928875436e-4, 1.48572235717979e-5, 5.12229709037114e-8, -8.60467152213735e-11,
         2.00018790482477e-13, -2.76076847742355e-16),
    )
)  # fmt: skip
TANH_BELOW = tuple(
    map(np.float32, (4.89352518554385e-3, 2.26843463243900e-3, 1.18534705686654e-4, 1.19825839466702e-6))
)


class Weights(NamedTuple):
    """Weights of the recurrence: A (N, N), W1 (H, N), W2 (N, H)."""

    linear: Tensor
    inner: Tensor
    outer: Tensor


def next_state(state: Tensor, drive: Tensor, hidden: Tensor, weights: Weights) -> Tensor:
    """Compute one row: state (B, N), v (B, N) and z (B, H) -> the next state (B, N)."""
    activated = torch.tanh(hidden + fn.linear(state, weights.inner))
    moved = drive + fn.linear(state, weights.linear) + fn.linear(activated, weights.outer)
    return moved.clamp(-BOUND, BOUND)


def run_row_by_row(start: Tensor, drive: Tensor, hidden: Tensor, weights: Weights) -> Tensor:
    """All states as in :func:`run_states`, computed row by row with plain operations of torch."""
    states = [start]
    for t in range(len(drive)):
        states.append(next_state(states[-1], drive[t], hidden[t], weights))
    return torch.stack(states)


def run_states(start: Tensor, drive: Tensor, hidden: Tensor, weights: Weights) -> Tensor:
    """Run the recurrence over all rows: states (T + 1, B, N), the start first.

    Args:
        start: (B, N).
        drive: v (T, B, N).
        hidden: z (T, B, H).
        weights: of the recurrence.
    """
    return _run_states(start, drive, hidden, weights)


def hide_from_compiler() -> None:
    """Let torch.compile call the recurrence as it is: it cannot read compiled loops.

    Not a decorator, which would import the compiler, a second of work, wherever a network is used.
    """
    global _run_states
    _run_states = torch.compiler.disable(_run_states)


def _run_states(start: Tensor, drive: Tensor, hidden: Tensor, weights: Weights) -> Tensor:
    # In bfloat16 1 and 0.996 are neighbours: a slow state would forget, or never move.
    start, drive, hidden = (x.float() if x.dtype is torch.bfloat16 else x for x in (start, drive, hidden))
    with torch.autocast(drive.device.type, enabled=False):
        if (kernels := triton_form("recurrence_triton", drive)) is not None and kernels.supports(drive, hidden):
            return cast(Tensor, kernels.run_states(start, drive, hidden, weights, BOUND))
        if drive.device.type != "cpu":
            return run_row_by_row(start, drive, hidden, weights)
        return _Recurrence.apply(start, drive, hidden, *weights)


class _Recurrence(torch.autograd.Function):
    """The recurrence as an autograd function for CPUs; inside, the batch comes last: (T, N, B)."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, drive: Tensor, hidden: Tensor, *weights: Tensor) -> Tensor:
        """All states (T + 1, B, N); arguments as in :func:`run_states`."""
        states = drive.new_empty(len(drive) + 1, drive.shape[2], drive.shape[1])
        states[0] = start.T
        activated = hidden.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        run, _ = _compiled(activated.dtype)
        run(*_arrays(*weights, drive.transpose(1, 2)), activated.numpy(), states.numpy())
        ctx.save_for_backward(states, activated, *weights)
        return states.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the inputs of :meth:`forward`."""
        states, activated, linear, inner, outer = ctx.saved_tensors
        grad = grads[0].transpose(1, 2).clone(memory_format=torch.contiguous_format)
        grad_hidden = torch.empty_like(activated)
        _, run_back = _compiled(activated.dtype)
        run_back(*_arrays(linear, inner, outer, states, activated), grad.numpy(), grad_hidden.numpy())
        of_weights = _outer(grad[1:], states[:-1]), _outer(grad_hidden, states[:-1]), _outer(grad[1:], activated)
        return grad[0].T, grad[1:].transpose(1, 2), grad_hidden.transpose(1, 2), *of_weights


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Sum over rows and batch of products (T, N, B), (T, M, B) -> (N, M)."""
    return torch.bmm(left, right.transpose(1, 2)).sum(dim=0)


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@lru_cache(maxsize=2)
def _compiled(dtype: torch.dtype) -> tuple[Callable[..., None], Callable[..., None]]:
    """The two loops, compiled for a type of numbers."""
    import numba

    # Only what keeps NaN and the order of sums: a state that is no number must stay none.
    compiled = numba.njit(fastmath={"contract"}, error_model="numpy")
    tanh: Callable[..., Any] = _rational_tanh if dtype is torch.float32 else _tanh
    return partial(compiled(_run), compiled(tanh)), compiled(_run_back)


def _tanh(x: float) -> float:
    return float(np.tanh(x))


def _rational_tanh(x: np.float32) -> np.float32:
    """tanh in single precision, to 3e-7: a compiler makes vectors of it, while it calls the library's one by one.

    Coefficients of Eigen's ``generic_fast_tanh_float``.
    """
    # Comparisons keep a NaN.
    if x > TANH_LIMIT:
        x = TANH_LIMIT
    if x < -TANH_LIMIT:
        x = -TANH_LIMIT
    square = x * x
    above = TANH_ABOVE[6]
    for k in (5, 4, 3, 2, 1, 0):
        above = above * square + TANH_ABOVE[k]
    below = TANH_BELOW[3]
    for k in (2, 1, 0):
        below = below * square + TANH_BELOW[k]
    return x * above / below


def _run(
    tanh: Callable[[float], float],
    linear: np.ndarray,
    inner: np.ndarray,
    outer: np.ndarray,
    drive: np.ndarray,
    hidden: np.ndarray,
    states: np.ndarray,
) -> None:
    """Fill states (T + 1, N, B) from the first, and overwrite hidden (T, H, B) by its activation."""
    rows, size, batch = drive.shape
    for t in range(rows):
        for j in range(hidden.shape[1]):
            for i in range(size):
                weight = inner[j, i]
                for b in range(batch):
                    hidden[t, j, b] += weight * states[t, i, b]
            for b in range(batch):
                hidden[t, j, b] = tanh(hidden[t, j, b])
        for i in range(size):
            for b in range(batch):
                states[t + 1, i, b] = drive[t, i, b]
            for k in range(size):
                weight = linear[i, k]
                for b in range(batch):
                    states[t + 1, i, b] += weight * states[t, k, b]
            for j in range(hidden.shape[1]):
                weight = outer[i, j]
                for b in range(batch):
                    states[t + 1, i, b] += weight * hidden[t, j, b]
            for b in range(batch):
                if abs(states[t + 1, i, b]) > BOUND:
                    states[t + 1, i, b] = np.copysign(states.dtype.type(BOUND), states[t + 1, i, b])


def _run_back(
    linear: np.ndarray, inner: np.ndarray, outer: np.ndarray, states: np.ndarray, activated: np.ndarray,
    grad: np.ndarray, grad_hidden: np.ndarray,
) -> None:  # fmt: skip
    """Overwrite grad (T + 1, N, B) of the states by that of what each was computed from; fill grad_hidden (T, H, B)."""
    rows, size, batch = activated.shape[0], states.shape[1], states.shape[2]
    for t in range(rows - 1, -1, -1):
        for i in range(size):
            for b in range(batch):
                if abs(states[t + 1, i, b]) >= BOUND:
                    grad[t + 1, i, b] = 0.0
        for j in range(activated.shape[1]):
            for b in range(batch):
                grad_hidden[t, j, b] = 0.0
            for i in range(size):
                weight = outer[i, j]
                for b in range(batch):
                    grad_hidden[t, j, b] += weight * grad[t + 1, i, b]
            for b in range(batch):
                grad_hidden[t, j, b] *= 1.0 - activated[t, j, b] * activated[t, j, b]
        for i in range(size):
            for k in range(size):
                weight = linear[k, i]
                for b in range(batch):
                    grad[t, i, b] += weight * grad[t + 1, k, b]
            for j in range(activated.shape[1]):
                weight = inner[j, i]
                for b in range(batch):
                    grad[t, i, b] += weight * grad_hidden[t, j, b]
