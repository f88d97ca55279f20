"""The training of one network as one process runs it with Lightning, alone or together with others."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.settings import Monitor, Precision, SettingsConfig
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.callbacks import (
    AveragedWeights,
    DivergenceGuard,
    EpochProgress,
    FreeRunValidation,
    MetricForwarding,
    Patience,
)
from surrogate_modeling.training.checkpoints import AtomicCheckpointIO, FitResult, checkpoints
from surrogate_modeling.training.compilation import Acceleration, accelerated, compile_network, use_precision
from surrogate_modeling.training.graphed import BATCHES_PER_BLOCK, GraphedTraining
from surrogate_modeling.training.lightning import (
    Callback,
    ClusterEnvironment,
    DDPStrategy,
    LightningEnvironment,
    Trainer,
)
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.system_metrics import SystemMetrics
from surrogate_modeling.training.time_budget import TimeBudget

log = logging.getLogger(__name__)
LIGHTNING_PRECISION: dict[Precision, Literal["32-true", "bf16-mixed"]] = {
    Precision.fp32: "32-true",
    Precision.tf32: "32-true",
    Precision.bf16: "bf16-mixed",
}


class OutOfMemory(UserError):
    """The GPU or the machine has not enough memory for a step."""


@dataclass(frozen=True)
class Place:
    """Where a process stands among those that train one network.

    Attributes:
        devices: of this machine, one process on each.
        nodes: number of machines.
        rank: of this process among all; 0 leads.
        local_rank: of this process on its machine.
        environment: Lightning's, which knows how the processes find each other.
    """

    devices: Sequence[torch.device]
    nodes: int = 1
    rank: int = 0
    local_rank: int = 0
    # Without one, variables of a Slurm job make Lightning expect its processes.
    environment: ClusterEnvironment = field(default_factory=LightningEnvironment)

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self.devices[self.local_rank]

    @property
    def processes(self) -> int:
        """Number of all processes."""
        return len(self.devices) * self.nodes

    @property
    def numbers(self) -> int | list[int]:
        """The devices as Lightning takes them."""
        numbers = [device.index for device in self.devices if device.index is not None]
        return numbers or len(self.devices)


@dataclass(frozen=True)
class TrainingJob:
    """What the processes of one training are given.

    Attributes:
        surrogate: with fitted scaling.
        data: training and validation windows.
        validation: the validation cases, for free runs.
        settings: the recipe.
        folder: where checkpoints go.
        resume_from: the checkpoint to go on from; None for none.
    """

    surrogate: Surrogate
    data: WindowData
    validation: Sequence[Case]
    settings: SettingsConfig
    folder: Path
    resume_from: Path | None

    def run(self, on_epoch: OnEpoch, place: Place) -> FitResult:
        """Train in place, to the weights of the last epoch; the leading process writes checkpoints.

        Args:
            on_epoch: is given the losses and the epoch's number after each epoch.
            place: of this process.

        Raises:
            TrainingDiverged: the loss became NaN or infinite.
            OutOfMemory: of the GPU or the machine.
        """
        how = accelerated(self.settings, place.device, place.processes)
        if place.rank == 0:
            log.info("training %s%s", f"in {place.processes} processes, " if place.processes > 1 else "", how)
        _quieten_lightning()
        use_precision(how.precision)
        watchers = self._watchers(on_epoch, place.rank == 0)
        trainer = self._trainer(how, place, watchers.callbacks)
        self.surrogate.to(place.device)
        if how.full:
            compile_network(self.surrogate.network, place.device)
        module = self._module(how, watchers)
        try:
            with out_of_memory_named(trainer):
                trainer.fit(module, datamodule=self.data, ckpt_path=self.resume_from, weights_only=True)
        finally:
            # The precision is that of training: what the network then predicts is not rounded.
            use_precision(Precision.fp32)
        budget = watchers.budget
        return FitResult(watchers.metrics.least, trainer.current_epoch, budget.time_elapsed(), budget.share >= 1.0)

    def _watchers(self, on_epoch: OnEpoch, leads: bool) -> _Watchers:
        settings, folder = self.settings, self.folder
        monitor, every = settings.monitor.value, settings.free_run_every
        budget = TimeBudget(settings.max_minutes, folder)
        free_runs = [FreeRunValidation(self.surrogate, self.validation, every, budget)] if every else []

        def is_measured() -> bool:
            """Whether the monitored value is of this epoch; the validation loss always is."""
            return settings.monitor is Monitor.val_loss or free_runs[0].measured

        averaged = [AveragedWeights(settings.ema)] if settings.ema else []
        system = SystemMetrics() if settings.system_metrics else None
        metrics = MetricForwarding(on_epoch, system)
        callbacks = [
            budget,
            DivergenceGuard(),
            *([system] if system else []),
            # Free runs come before the averaged weights are taken out again.
            *free_runs,
            *averaged,
            Patience(monitor, settings.patience, is_measured),
            *checkpoints(folder, monitor, is_measured),
            metrics,
            EpochProgress(settings.progress_bar and leads, budget),
        ]
        return _Watchers(callbacks, budget, averaged, metrics)

    def _module(self, how: Acceleration, watchers: _Watchers) -> SurrogateTraining:
        if not how.graphed:
            return SurrogateTraining(self.surrogate, self.settings, watchers.budget)
        self.data.batches_per_block = BATCHES_PER_BLOCK
        return GraphedTraining(self.surrogate, self.settings, how.precision, watchers.budget, *watchers.averaged)

    def _trainer(self, how: Acceleration, place: Place, callbacks: list[Callback]) -> Trainer:
        return Trainer(
            accelerator="gpu" if place.device.type == "cuda" else "cpu",
            devices=place.numbers,
            num_nodes=place.nodes,
            # Buffers are constants.
            strategy=DDPStrategy(forward_sync_buffers=False) if place.processes > 1 else "auto",
            # Our loaders know which part of a batch is theirs.
            use_distributed_sampler=False,
            precision=LIGHTNING_PRECISION[how.precision],
            max_epochs=self.settings.epochs,
            # Where steps are captured, gradients are clipped in them.
            gradient_clip_val=None if how.graphed else self.settings.gradient_clip,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO(), place.environment],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=self.folder,
        )


@dataclass(frozen=True)
class _Watchers:
    """The callbacks of a fit in their order, and those among them that are asked later."""

    callbacks: list[Callback]
    budget: TimeBudget
    averaged: list[AveragedWeights]
    metrics: MetricForwarding


def _quieten_lightning() -> None:
    """Keep Lightning's advertisements and its own use of deprecated calls out of the user's log."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.accelerators.cuda").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)
    # Which processes there are, settings.launched_by says.
    warnings.filterwarnings("ignore", message=r".*`srun` command is available.*")
    # A batch is one gather: there is nothing that workers could do.
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")


@contextmanager
def out_of_memory_named(trainer: Trainer) -> Iterator[None]:
    """Turn memory running out while fitting into a refusal with the place and what to try."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_of_memory(error):
            raise
        where = f"epoch {trainer.current_epoch}, batch {trainer.fit_loop.batch_idx}"
        raise OutOfMemory(
            f"out of memory in {where} ({first_line(error)}); try a smaller "
            "settings.batch_size or settings.horizon, or settings.precision=bf16"
        ) from None


def is_of_memory(error: Exception) -> bool:
    """Whether there was too little memory."""
    # torch has a class for the GPU only; what its CPU allocator says is matched by the allocator's name.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
