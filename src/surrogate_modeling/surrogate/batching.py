"""Batch cases of different lengths with bounded size.

Shape letters: B batch, T rows of a case, H = T - in_len predicted rows, C control, P predicted column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case

# Bounds the memory of a free run over thousands of cases: rows of all cases of one batch.
ROWS_PER_BATCH = 400_000
# Threads that fetch what a GPU predicted.
COPIERS = 4


def batches(order: list[int], lengths: list[int], max_rows: int) -> list[list[int]]:
    """Group cases of similar length so that padding and memory stay small; ``order`` is by length."""
    found: list[list[int]] = [[]]
    for i in order:
        if found[-1] and (len(found[-1]) + 1) * lengths[i] > max_rows:
            found.append([])
        found[-1].append(i)
    return [batch for batch in found if batch]


def held(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Extend rows (T, C) of each case to ``length`` by repeating the last one; predictions there are cut off."""
    # One tensor, filled: for thousands of cases lists of arrays take longer than a free run on a GPU.
    every = np.empty((len(rows), length, rows[0].shape[1]), rows[0].dtype)
    for of_case, into in zip(rows, every, strict=True):
        into[: len(of_case)] = of_case
        into[len(of_case) :] = of_case[-1]
    return every


def run_batches(
    cases: Sequence[Case],
    in_len: int,
    given: int,
    run: Callable[[np.ndarray, np.ndarray, list[str | None]], tuple[Tensor, ...]],
    max_rows: int = 0,
) -> list[tuple[np.ndarray, ...]]:
    """Run cases of any lengths freely, many at once.

    Args:
        cases: values (T, C + P) with all controls and at least the first given rows of the predicted columns.
        in_len: rows before the first predicted one.
        given: those of them in which the predicted columns are given, G.
        run: initial (B, G, P), controls (B, T, C) and the unit of each case -> tensors (B, H, P).
        max_rows: of all cases of a batch together, where there is memory for more than ``ROWS_PER_BATCH``.

    Returns:
        What ``run`` gave of each case (T - in_len, P), in the order of the cases.
    """
    order = sorted(range(len(cases)), key=lambda i: len(cases[i].values))
    done: dict[int, tuple[np.ndarray, ...]] = {}
    for batch in batches(order, [len(case.values) for case in cases], max(max_rows, ROWS_PER_BATCH)):
        driven = held([cases[i].controls for i in batch], len(cases[batch[-1]].values))
        initial = np.stack([cases[i].outputs[:given] for i in batch])
        results = [fetched(rows) for rows in run(initial, driven, [cases[i].unit for i in batch])]
        for place, i in enumerate(batch):
            done[i] = tuple(rows[place, : len(cases[i].values) - in_len] for rows in results)
    return [done[i] for i in range(len(cases))]


def fetched(rows: Tensor) -> np.ndarray:
    """Copy rows (B, H, P) to an array; from a GPU in several threads, as allocating memory takes most of the time."""
    if not rows.is_cuda:
        return rows.numpy()
    # NumPy asks for large pages, torch does not.
    every = np.empty(rows.shape, np.float64 if rows.dtype is torch.float64 else np.float32)
    into = torch.from_numpy(every)
    ready = torch.cuda.current_stream().record_event()

    def copy(here: Tensor, there: Tensor) -> None:
        stream = torch.cuda.Stream(here.device)
        stream.wait_event(ready)
        with torch.cuda.stream(stream):
            there.copy_(here)

    size = -(-len(rows) // COPIERS)
    with ThreadPoolExecutor(COPIERS) as pool:
        list(pool.map(copy, rows.split(size), into.split(size)))
    return every
