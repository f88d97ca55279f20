"""What a measurement on a GPU is taken with, and the memory that it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from surrogate_modeling.config.settings import Precision
from surrogate_modeling.networks import kernels, row_graph
from surrogate_modeling.training.compilation import use_precision


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Matrix products of a precision."""
    use_precision(precision)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision is Precision.bf16):
        yield
    use_precision(Precision.fp32)


@contextmanager
def graphs(wanted: bool) -> Iterator[None]:
    """With or without captured free runs."""
    kept = row_graph.pays
    if not wanted:
        row_graph.pays = lambda *_: False
    try:
        yield
    finally:
        row_graph.pays = kept


@contextmanager
def scan_form(form: str) -> Iterator[None]:
    """The leaky scan in operations of torch, or as a kernel where there is one."""
    kept = kernels.HAS_TRITON
    kernels.HAS_TRITON = kept and form == "triton"
    try:
        yield
    finally:
        kernels.HAS_TRITON = kept


@contextmanager
def peak_memory(device: torch.device) -> Iterator[list[float]]:
    """GiB at most; filled when done."""
    found: list[float] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    yield found
    found.append(torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0)
