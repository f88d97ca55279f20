"""Train one network in processes that a launcher started, torchrun or Slurm's srun, on one machine or several.

All of them run the same command. The first one runs it as if it were alone; the others wait for what it trains, and
train along.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.settings import Launcher, SettingsConfig
from surrogate_modeling.surrogate.device import choose_devices, pick_device
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.job import Place, TrainingJob
from surrogate_modeling.training.lightning import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment

# Variable that each launcher sets -> the number of processes that it started on each machine.
ON_EACH_MACHINE = {Launcher.torchrun: "LOCAL_WORLD_SIZE", Launcher.srun: "SLURM_NTASKS_PER_NODE"}
# The others wait while the first one reads or generates cases; a process that ends is noticed at once.
LONGEST_WAIT = timedelta(days=1)


def is_launched(settings: SettingsConfig) -> bool:
    """Whether this training is shared with processes that a launcher started.

    Raises:
        UserError: it should be, and they have not joined.
    """
    by = settings.launched_by
    if by is not Launcher.none and not distributed.is_initialized():
        raise UserError(
            f"settings.launched_by={by}: {by} started no process for this command; start it with {by}, or give "
            "settings.launched_by=none"
        )
    return by is not Launcher.none


@contextmanager
def joined(settings: SettingsConfig) -> Iterator[bool]:
    """Join the processes that a launcher started; yields whether this is the first one, which runs the command.

    The others yield when the first one is done with it.

    Raises:
        UserError: the launcher did not start this process, or another process ended.
    """
    if settings.launched_by is Launcher.none:
        yield True
        return
    place = _place(settings)
    backend = "cpu:gloo,cuda:nccl" if place.device.type == "cuda" else "gloo"
    environment = place.environment
    address = f"tcp://{environment.main_address}:{environment.main_port}"
    if settings.launched_by is Launcher.torchrun:
        # Its agent has opened the port.
        address = "env://"
    with _loss_named():
        distributed.init_process_group(
            backend, address, timeout=LONGEST_WAIT, rank=place.rank, world_size=place.processes
        )
    try:
        if place.rank == 0:
            yield True
            _shared(None)
        else:
            logging.getLogger().setLevel(logging.WARNING)
            while (job := _shared(None)) is not None:
                with _loss_named():
                    job.run(_unheard, _place(job.settings))
            yield False
    finally:
        distributed.destroy_process_group()


def train_launched(job: TrainingJob, on_epoch: OnEpoch) -> FitResult:
    """Train together with the other processes; to be called in the first one.

    Args:
        job: to do.
        on_epoch: is given the losses and the epoch's number after each epoch.

    Raises:
        UserError: the training diverged, there was too little memory, or another process ended.
    """
    job.surrogate.to("cpu")
    _shared(job)
    with _loss_named():
        return job.run(on_epoch, _place(job.settings))


def _shared(job: TrainingJob | None) -> TrainingJob | None:
    """What the first process gives, in every process."""
    held: list[Any] = [job]
    with _loss_named():
        distributed.broadcast_object_list(held, src=0)
    return held[0]


def _place(settings: SettingsConfig) -> Place:
    """Where this process stands, as its launcher says.

    Raises:
        UserError: the launcher did not start it, or not as it must.
    """
    by = settings.launched_by
    local = os.environ.get(ON_EACH_MACHINE[by], "")
    if not local.isdigit():
        how = "" if by is Launcher.torchrun else " with --ntasks-per-node=<GPUs of a machine>"
        raise UserError(
            f"settings.launched_by={by}: {by} did not start this process ({ON_EACH_MACHINE[by]} is not set); start "
            f"it with {by}{how}, or leave settings.launched_by out"
        )
    environment: ClusterEnvironment = TorchElasticEnvironment()
    if by is Launcher.srun:
        environment = SLURMEnvironment(auto_requeue=False)
    several = replace(settings, launched_by=Launcher.none, devices=int(local))
    if pick_device(settings.device, "settings.device").type == "cpu":
        several = replace(several, device="cpu")
    devices = choose_devices(several)
    nodes = environment.world_size() // int(local)
    place = Place(devices, nodes, environment.global_rank(), environment.local_rank(), environment)
    if place.device.type == "cuda":
        torch.cuda.set_device(place.device)
    return place


@contextmanager
def _loss_named() -> Iterator[None]:
    """Turn an error of the connection between processes into one line.

    Raises:
        UserError: another process ended.
    """
    try:
        yield
    except UserError:
        raise
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, distributed.DistError) and not any(word in text for word in ("gloo", "Connection")):
            raise
        raise UserError(
            f"another process of this training ended ({first_line(error)[:200]}); see what it says, and go on with "
            "resume=<folder of the run>"
        ) from None


def _unheard(metrics: dict[str, float], epoch: int) -> None:
    """Stand in for the callback of the first process."""
