"""Give each process of a search a GPU of its own."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)
_GPU: list[FileLock] = []


def take_gpu(folder: Path) -> str | None:
    """Let this process see one GPU only, of several, and one that no other process of a search has taken.

    Must come before torch first touches a GPU. Slurm and Ray give each job its own already: then there is only one.

    Args:
        folder: for the locks that mark a GPU as taken; they go with the process.

    Returns:
        The GPU taken; None when there are not several, or all are taken (then all stay visible).
    """
    visible = visible_gpus()
    if _GPU or len(visible) < 2:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for gpu in visible:
        lock = FileLock(folder / f"gpu-{platform.node()}-{gpu.replace('/', '_')}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _GPU.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return gpu
    log.warning(
        "all %d GPUs are taken by other trials; this one shares the first: fewer hydra.sweeper.n_jobs", len(visible)
    )
    return None


def visible_gpus() -> list[str]:
    """The GPUs this process may use, without loading torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() and name.strip() != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]
