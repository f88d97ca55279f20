"""Resources used by a run, once an epoch, under the names of MLflow's system metrics."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch

from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.training.lightning import Callback, LightningModule, Trainer

MEMORY_TABLE = Path("/proc/meminfo")
MEGA = 1e6


class SystemMetrics(Callback):
    """Windows per second, processor time and memory of each epoch; :attr:`latest` is empty before the first."""

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}
        self._windows = 0
        self._wall = self._cpu = 0.0

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clocks."""
        self._windows, self._wall, self._cpu = 0, time.perf_counter(), time.process_time()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Count windows, those of other processes too."""
        self._windows += len(batch[0]) * trainer.world_size

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Read all counters when training of the epoch is over, before validation."""
        if not self._windows:
            return
        seconds = time.perf_counter() - self._wall
        cores = os.cpu_count() or 1
        self.latest = {
            "system/windows_per_second": self._windows / seconds,
            "system/cpu_utilization_percentage": 100 * (time.process_time() - self._cpu) / seconds / cores,
            **process_memory(),
            **machine_memory(),
            **gpu_memory(),
        }


def process_memory() -> dict[str, float]:
    """Peak memory of this process so far; empty on Windows, which does not report it."""
    if sys.platform == "win32":
        return {}
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return {"system/process_peak_memory_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGA}


def machine_memory(table: Path = MEMORY_TABLE) -> dict[str, float]:
    """Memory in use on this machine, by all processes; empty where Linux's table of it is missing.

    Args:
        table: of lines such as ``MemTotal: 16384 kB``.
    """
    if not table.exists():
        return {}
    sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in table.read_text().splitlines()}
    used = sizes["MemTotal"] - sizes["MemAvailable"]
    return {
        "system/system_memory_usage_megabytes": used / MEGA,
        "system/system_memory_usage_percentage": 100 * used / sizes["MemTotal"],
    }


def gpu_memory() -> dict[str, float]:
    """Memory in use on the GPU, by all processes; empty without one."""
    if not torch.cuda.is_available():
        return {}
    free, whole = torch.cuda.mem_get_info()
    return {
        "system/gpu_0_memory_usage_megabytes": (whole - free) / MEGA,
        "system/gpu_0_memory_usage_percentage": 100 * (whole - free) / whole,
    }
