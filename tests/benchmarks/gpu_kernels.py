"""What a training step's time on a device is spent on: matrix products, and everything between them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import torch
from gpu_phases import Bench, carries_state
from torch.profiler import ProfilerActivity, profile

from surrogate_modeling.config.settings import Precision

# Names that cuBLAS, CUTLASS and cuDNN give their products, and those of torch's own operations on a CPU.
PRODUCTS = re.compile(r"nvjet|gemm|splitKreduce|cutlass|RNN|LSTM|aten::(addmm|mm|bmm|baddbmm)$", re.IGNORECASE)
EPOCHS = 2


def step_kernels(bench: Bench, name: str, precision: Precision, larger: int = 1) -> dict[str, Any]:
    """Seconds of the kernels of one step: those of a longer training less those of a shorter one.

    Args:
        bench: with its cases.
        name: of the network.
        precision: of its products.
        larger: batches of so many times the windows.

    Returns:
        ``products`` and ``rest`` in seconds, ``launches`` of kernels, and the ``windows`` of a step.
    """
    few, many = 8, 8 + bench.extent.steps
    batch = larger * (16 if carries_state(name) else bench.extent.batch)
    seconds: Counter[str] = Counter()
    launches: Counter[str] = Counter()
    for count, sign in ((few, -1), (many, 1)):
        settings = bench.settings(
            name, precision, bench.ways[-1], epochs=EPOCHS, windows_per_epoch=count * batch, batch_size=batch,
            free_run_every=1000,
        )  # fmt: skip
        on_gpu = bench.device.type == "cuda"
        with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as found:
            bench.fitted(name, settings, prepared=False)
        for event in found.key_averages():
            if "Memcpy" not in event.key and "Memset" not in event.key:
                kind = "products" if PRODUCTS.search(event.key) else "rest"
                taken = event.self_device_time_total if on_gpu else event.self_cpu_time_total
                seconds[kind] += sign * taken / 1e6 / EPOCHS / bench.extent.steps
                launches[kind] += sign * event.count
    torch.cuda.empty_cache()
    total = round(sum(launches.values()) / EPOCHS / bench.extent.steps)
    return {"products": seconds["products"], "rest": seconds["rest"], "launches": total, "windows": batch}
