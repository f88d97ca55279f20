"""What a card can do: its matrix products and its memory, measured; and what a network asks of it, counted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.scan import leaky_scan


def synchronise(device: torch.device) -> None:
    """Wait until the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def median_seconds(work: Callable[[], object], device: torch.device, rounds: int = 5, calls: int = 1) -> float:
    """Median over some rounds of the seconds of one call, after one call that is not timed."""
    work()
    taken = []
    for _ in range(rounds):
        synchronise(device)
        began = time.perf_counter()
        for _ in range(calls):
            work()
        synchronise(device)
        taken.append((time.perf_counter() - began) / calls)
    return statistics.median(taken)


def product_peaks(device: torch.device, size: int) -> dict[str, float]:
    """FLOP/s of square matrix products of random numbers: bf16, tf32 and fp32."""
    peaks = {}
    for name, dtype, precision in (
        ("bf16", torch.bfloat16, "highest"),
        ("tf32", torch.float32, "high"),
        ("fp32", torch.float32, "highest"),
    ):
        torch.set_float32_matmul_precision(precision)
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        peaks[name] = 2 * size**3 / median_seconds(lambda a=a, b=b: a @ b, device, calls=5)
    torch.set_float32_matmul_precision("highest")
    return peaks


def bandwidth(device: torch.device, values: int) -> float:
    """Bytes per second of a copy, read and written."""
    a = torch.randn(values, device=device)
    b = torch.empty_like(a)
    return 8 * values / median_seconds(lambda: b.copy_(a), device, calls=5)


def window_flops(network: Network, past: Tensor, control: Tensor) -> float:
    """FLOPs of one window or trajectory in one call: products as torch counts them, of LSTMs by hand.

    Args:
        network: on the CPU.
        past: (B, in_len, F).
        control: (B, H, C).
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.forward(past, control)
    recurrent = sum(
        2 * 4 * part.hidden_size * (part.hidden_size + (part.input_size if layer == 0 else part.hidden_size))
        for part in network.modules()
        if isinstance(part, nn.LSTM)
        for layer in range(part.num_layers)
    )
    return counter.get_total_flops() / len(past) + recurrent * past.shape[1]


def scan_seconds(device: torch.device, shape: tuple[int, int, int], gradient: bool) -> tuple[float, int]:
    """Seconds of a leaky scan, and the bytes that it cannot do without.

    Args:
        device: where.
        shape: rows, cases, states.
        gradient: forwards and backwards.
    """
    move, value = torch.rand(shape, device=device), torch.randn(shape, device=device)
    start = torch.randn(shape[1:], device=device)
    for part in (move, value, start) if gradient else ():
        part.requires_grad_()
    upstream = torch.randn(shape, device=device)

    def work() -> None:
        states = leaky_scan(move, value, start)
        if gradient:
            torch.autograd.grad(states, (move, value, start), upstream)

    # Forwards two tensors are read and one written; backwards four read and two written.
    return median_seconds(work, device, calls=10), 4 * move.numel() * (9 if gradient else 3)
