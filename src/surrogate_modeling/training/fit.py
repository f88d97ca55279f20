"""Fitting a surrogate with Lightning: the step, the optimiser, and what watches the run.

Shape letters: B batch, H predicted rows of a window, P predicted columns.
"""

from __future__ import annotations

import copy
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, Trainer, seed_everything
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.settings import Monitor, Precision, SettingsConfig
from surrogate_modeling.surrogate.device import choose_device
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.callbacks import (
    AveragedWeights,
    DivergenceGuard,
    EpochProgress,
    FreeRunValidation,
    MetricForwarding,
    Patience,
    TimeBudget,
    free_run_nade,
)
from surrogate_modeling.training.checkpoints import (
    BEST_FILE,
    WEIGHTS_PREFIX,
    AtomicCheckpointIO,
    FitResult,
    checkpoints,
    latest_checkpoint,
    read_fit_result,
    write_best_weights,
    write_fit_result,
)
from surrogate_modeling.training.compilation import Acceleration, accelerated, compile_network, use_precision
from surrogate_modeling.training.graphed import BATCHES_PER_BLOCK, GraphedTraining
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.system_metrics import SystemMetrics
from surrogate_modeling.training.windows import WindowData

log = logging.getLogger(__name__)
ROUNDING = 1e-6
LIGHTNING_PRECISION: dict[Precision, Literal["32-true", "bf16-mixed"]] = {
    Precision.fp32: "32-true",
    Precision.tf32: "32-true",
    Precision.bf16: "bf16-mixed",
}


class OutOfMemory(UserError):
    """The GPU or the machine has not enough memory for a step."""


def _quieten_lightning() -> None:
    """Keep Lightning's advertisements and its own use of deprecated calls out of the user's log."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.accelerators.cuda").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)
    # A batch is one gather: there is nothing that workers could do.
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")


def seed_run(seed: int) -> None:
    """Seed Python, NumPy and torch: weights, batches and dropout of a run follow from the seed."""
    seed_everything(seed, workers=True, verbose=False)


def fit(
    surrogate: Surrogate,
    data: WindowData,
    validation: Sequence[Case],
    settings: SettingsConfig,
    folder: Path,
    on_epoch: OnEpoch,
) -> FitResult:
    """Train in place, to the weights of the best monitored value; goes on from checkpoints of the same run.

    Args:
        surrogate: with fitted scaling.
        data: training and validation windows.
        validation: the validation cases, for free runs.
        settings: the recipe.
        folder: where checkpoints go.
        on_epoch: is given the losses and the epoch's number after each epoch.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
        OutOfMemory: of the GPU or the machine.
    """
    device = choose_device(settings)
    how = accelerated(settings, device)
    _quieten_lightning()
    use_precision(how.precision)
    log.info("training %s", how)
    if (fitted := read_fit_result(folder)) is not None:
        load_best(surrogate, folder, device)
        return fitted
    watchers = _make_watchers(surrogate, validation, settings, folder, on_epoch)
    trainer = _make_trainer(settings, how, device, folder, watchers.callbacks)
    resume_from = latest_checkpoint(folder)
    surrogate.to(device)
    start = _Start.of(surrogate, validation) if settings.monitor is Monitor.val_nADE and validation else None
    if how.full:
        compile_network(surrogate.network, device)
    module = _make_module(surrogate, data, settings, how, watchers)
    try:
        with out_of_memory_named(trainer):
            trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
    finally:
        # The precision is that of training: what the network then predicts is not rounded.
        use_precision(Precision.fp32)
    least = start.kept_if_best(watchers.metrics.least, folder) if start else watchers.metrics.least
    fitted = FitResult(least, trainer.current_epoch, watchers.budget.time_elapsed())
    write_fit_result(folder, fitted)
    load_best(surrogate, folder, device)
    return fitted


@dataclass(frozen=True)
class _Watchers:
    """The callbacks of a fit in their order, and those among them that are asked later."""

    callbacks: list[Callback]
    budget: TimeBudget
    averaged: list[AveragedWeights]
    metrics: MetricForwarding


def _make_watchers(
    surrogate: Surrogate, validation: Sequence[Case], settings: SettingsConfig, folder: Path, on_epoch: OnEpoch
) -> _Watchers:
    monitor, every = settings.monitor.value, settings.free_run_every
    budget = TimeBudget(settings.max_minutes, folder)
    free_runs = [FreeRunValidation(surrogate, validation, every, budget)] if every else []

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
        EpochProgress(settings.progress_bar, budget),
    ]
    return _Watchers(callbacks, budget, averaged, metrics)


def _make_module(
    surrogate: Surrogate, data: WindowData, settings: SettingsConfig, how: Acceleration, watchers: _Watchers
) -> SurrogateTraining:
    if not how.graphed:
        return SurrogateTraining(surrogate, settings, watchers.budget)
    data.batches_per_block = BATCHES_PER_BLOCK
    return GraphedTraining(surrogate, settings, how.precision, watchers.budget, *watchers.averaged)


@dataclass(frozen=True)
class _Start:
    """The weights before training, which some networks fit in closed form: training may only make them worse."""

    nade: float
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, surrogate: Surrogate, validation: Sequence[Case]) -> _Start:
        surrogate.eval()
        nade = free_run_nade(surrogate, validation)
        surrogate.train()
        log.info("before training: val_nADE %.4g", nade)
        return cls(nade, copy.deepcopy(surrogate.state_dict()))

    def kept_if_best(self, least: dict[str, float], folder: Path) -> dict[str, float]:
        """The least of each metric, the start among them, whose weights become the best where no epoch was better."""
        # What Lightning logs is rounded to single precision.
        if self.nade >= (1.0 - ROUNDING) * least.get("val_nADE", math.inf):
            return least
        log.info("no epoch was better than the start, which is kept")
        write_best_weights(folder, self.weights)
        return {**least, "val_nADE": self.nade}


def _make_trainer(
    settings: SettingsConfig, how: Acceleration, device: torch.device, folder: Path, callbacks: list[Callback]
) -> Trainer:
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=LIGHTNING_PRECISION[how.precision],
        max_epochs=settings.epochs,
        # Where steps are captured, gradients are clipped in them.
        gradient_clip_val=None if how.graphed else settings.gradient_clip,
        callbacks=callbacks,
        # Without this, variables of a Slurm job make Lightning expect its processes.
        plugins=[AtomicCheckpointIO(), LightningEnvironment()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )


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


def load_best(surrogate: Surrogate, folder: Path, device: torch.device) -> None:
    """Give the surrogate the weights of the best monitored value.

    Raises:
        UserError: their file is missing, damaged, or of another network.
    """
    path = folder / BEST_FILE
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        surrogate.load_state_dict(
            {key.removeprefix(WEIGHTS_PREFIX): v for key, v in saved.items() if key.startswith(WEIGHTS_PREFIX)}
        )
    # Whatever is wrong with the file: torch has no error of its own for it.
    except Exception as error:
        raise UserError(
            f"{path}: the best weights cannot be read ({first_line(error)}); delete {folder} to train this run again"
        ) from None
    surrogate.to(device).eval()
