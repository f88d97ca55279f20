"""A window network's free run on a CUDA GPU: several rows are captured as one CUDA graph and replayed.

Row by row a network is called with few numbers at a time: the processor needs longer to launch a row's kernels than
the GPU to compute them. A graph launches the kernels of many rows at once (NVIDIA, CUDA C++ Programming Guide,
"CUDA Graphs").

Shape letters: B batch, H predicted rows, F feature (C control, then P predicted).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Calls of the network in a graph: more would save nothing, and capturing takes the time of as many calls one by one.
CALLS_PER_GRAPH = 16
# Calls before the capture, in which libraries choose their kernels and take their memory.
FIRST_CALLS = 3
# Past window (B, in_len, F) and controls (B, H, C) -> the past window and the predicted rows (B, in_len + H, F).
Fill = Callable[[Tensor, Tensor], Tensor]


def pays(past: Tensor, calls: int) -> bool:
    """Whether capturing ``calls`` calls of a network as a graph is worth it."""
    capturing = past.is_cuda and torch.cuda.is_current_stream_capturing()
    return past.is_cuda and not capturing and calls > FIRST_CALLS + 2 * CALLS_PER_GRAPH


def run_as_graph(fill: Fill, past: Tensor, control: Tensor, rows: int) -> Tensor:
    """Predict all rows (B, H, P), replaying ``CALLS_PER_GRAPH`` calls as one launch; without gradients.

    The graph is made anew for each free run: it holds the places of the weights, which may since have moved, and
    costs no more than the first rows of the run.

    Args:
        fill: predicts some rows one by one.
        past: (B, in_len, F).
        control: (B, H, C); H a multiple of ``rows``.
        rows: that a call predicts.
    """
    in_len, controls, horizon = past.shape[1], control.shape[2], control.shape[1]
    first, block = FIRST_CALLS * rows, CALLS_PER_GRAPH * rows
    every = past.new_empty(len(past), horizon, past.shape[2] - controls)
    # A capture must not meet casts of weights that were kept before it.
    with torch.autocast("cuda", enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            window = fill(past, control[:, :first])
        torch.cuda.current_stream().wait_stream(stream)
        every[:, :first] = window[:, in_len:, controls:]
        held_past, held_control = window[:, -in_len:].clone(), control[:, first : first + block].clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            filled = fill(held_past, held_control)
            held_past.copy_(filled[:, -in_len:])
    for start in range(first, horizon, block):
        held = control[:, start : start + block]
        held_control[:, : held.shape[1]] = held
        graph.replay()
        every[:, start : start + block] = filled[:, in_len : in_len + held.shape[1], controls:]
    # Nothing of the graph may go while it is still running.
    torch.cuda.current_stream().synchronize()
    return every
