"""Fitting a surrogate with Lightning: the step, the optimiser, and what watches the run.

Shape letters: B batch, H predicted rows of a window, P predicted columns.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor
from torch.nn import functional as fn
from torch.optim import Optimizer

from surrogate_modeling.callbacks import (
    AveragedWeights,
    DivergenceGuard,
    EpochProgress,
    FreeRunValidation,
    MetricForwarding,
    TimeBudget,
)
from surrogate_modeling.cases import Case
from surrogate_modeling.checkpoints import (
    BEST_FILE,
    Fitted,
    WholeFiles,
    checkpoints,
    latest_checkpoint,
    read_fitted,
    write_fitted,
)
from surrogate_modeling.compiled_network import compile_network
from surrogate_modeling.config import Criterion, Precision, Schedule, SettingsConfig, UserError
from surrogate_modeling.run_log import first_line
from surrogate_modeling.surrogate import Surrogate, pick_device, roll_out
from surrogate_modeling.system_metrics import SystemMetrics
from surrogate_modeling.windows import Batch, WindowData, epoch_seed

log = logging.getLogger(__name__)
# What is left of the learning rate at the end of the cosine.
LAST_RATE = 0.02
# In training standard deviations. A network that is still untrained runs away over hundreds of rows: what lies farther
# out has nothing to teach, and its square is soon infinite.
LARGEST_FED_BACK = 1000.0
CRITERIA: dict[Criterion, Callable[..., Tensor]] = {
    Criterion.mse: fn.mse_loss,
    Criterion.l1: fn.l1_loss,
    Criterion.smoothl1: fn.smooth_l1_loss,
}
LIGHTNING_PRECISION: dict[Precision, Literal["32-true", "bf16-mixed"]] = {
    Precision.fp32: "32-true",
    Precision.tf32: "32-true",
    Precision.bf16: "bf16-mixed",
}


class OutOfMemory(UserError):
    """The GPU or the machine has not enough memory for a step."""


class SurrogateTraining(LightningModule):
    """One training step: roll the window out, compare with the truth in standardised units.

    Args:
        surrogate: with fitted scaling; its network is trained in place.
        settings: the recipe.
        budget: of training time; None for no limit.
    """

    column_weight: Tensor

    def __init__(self, surrogate: Surrogate, settings: SettingsConfig, budget: TimeBudget | None = None) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.settings = settings
        self.budget = budget or TimeBudget(None)
        self.criterion = CRITERIA[settings.criterion]
        channels = surrogate.description.channels
        weight = torch.full((len(channels.predicted),), settings.byproduct_weight)
        weight[channels.target_indices] = 1.0
        self.register_buffer("column_weight", weight / weight.mean(), persistent=False)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Dropout and noise follow from seed and epoch alone, so that a resumed run equals an uninterrupted one."""
        # Not at the start of the epoch: the loader draws after that, but before in a resumed run.
        if batch_idx == 0:
            torch.manual_seed(epoch_seed(self.settings.seed, self.current_epoch))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of one batch of windows, over the rows of the horizon that this epoch asks for."""
        rows = self._horizon()
        past, control, truth, weight = batch
        if self.settings.noise:
            past = past.clone()
            given = past[..., control.shape[-1] :]
            given += self.settings.noise * torch.randn_like(given)
        return self._loss("train_loss", past, control[:, :rows], truth[:, :rows], weight[:, :rows])

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """The same on validation windows, always over the whole horizon and without noise."""
        self._loss("val_loss", *batch)

    def _horizon(self) -> int:
        settings = self.settings
        full, growth = settings.loss_rows, settings.horizon_growth
        share = min(1.0, (self.current_epoch + 1) / growth) if growth else 1.0
        return settings.out_len + round(share * (full - settings.out_len))

    def _loss(self, name: str, past: Tensor, control: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
        predicted = roll_out(self.surrogate.network, past, control, self.settings.cut_gradients, LARGEST_FED_BACK)
        per_row = (self.criterion(predicted, truth, reduction="none") * self.column_weight).mean(dim=-1)
        loss = (per_row * weight).sum() / weight.sum()
        self.log(name, loss, on_step=False, on_epoch=True, batch_size=len(past), sync_dist=True)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW (Loshchilov and Hutter 2019), which without weight decay is Adam (Kingma and Ba 2015)."""
        settings = self.settings
        parameters = list(self.surrogate.network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=settings.lr, fused=True)
        if settings.lr_schedule is Schedule.constant and not settings.warmup:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_factor(step, steps, settings, self.budget.share)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """By the norm of all gradients. Lightning's own refuses a fused optimiser with bf16, as it must with fp16."""
        if gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.surrogate.network.parameters(), gradient_clip_val)


def rate_factor(step: int, steps: int, settings: SettingsConfig, spent: float = 0.0) -> float:
    """Learning rate of a step as a share of ``lr``: linear warm-up, then constant or half a cosine down to 2 %.

    The cosine is that of Loshchilov and Hutter 2017 (SGDR) without restarts. Where time ends training before the
    steps do, it goes by the time: the averaged weights are those of a learning rate that came to its end.

    Args:
        step: done so far.
        steps: in all.
        settings: the recipe.
        spent: share of the time budget.
    """
    warmup = settings.warmup * steps
    rise = min(1.0, max((step + 1) / warmup, spent / settings.warmup)) if warmup >= 1 else 1.0
    if settings.lr_schedule is Schedule.constant:
        return rise
    course = min(1.0, max(step / max(1, steps), spent))
    return rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * course)))


def choose_device(settings: SettingsConfig) -> torch.device:
    """The device asked for, a CUDA GPU by default where there is one.

    Raises:
        UserError: ``cuda`` is asked for and there is none.
    """
    return pick_device(settings.device, "settings.device")


def _quieten_lightning() -> None:
    """Keep Lightning's advertisements and its own use of deprecated calls out of the user's log."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)


def seed_run(seed: int) -> None:
    """Seed Python, NumPy and torch: weights, batches and dropout of a run follow from the seed."""
    seed_everything(seed, workers=True, verbose=False)


def fit(
    surrogate: Surrogate,
    data: WindowData,
    validation: Sequence[Case],
    settings: SettingsConfig,
    folder: Path,
    log_metrics: Callable[[dict[str, float], int], None],
) -> Fitted:
    """Train in place; the surrogate leaves with the weights of the best monitored value.

    Where the folder holds checkpoints of the same run, training goes on from the last complete epoch.

    Args:
        surrogate: with fitted scaling.
        data: training and validation windows.
        validation: the validation cases, for free runs.
        settings: the recipe.
        folder: where checkpoints go.
        log_metrics: is given the losses and the epoch's number after each epoch.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
        OutOfMemory: of the GPU or the machine.
    """
    device = choose_device(settings)
    _quieten_lightning()
    torch.set_float32_matmul_precision("highest" if settings.precision is Precision.fp32 else "high")
    monitor = settings.monitor.value
    if (fitted := read_fitted(folder)) is not None:
        load_best(surrogate, folder, device)
        return fitted
    best, latest = checkpoints(folder, monitor)
    budget = TimeBudget(settings.max_minutes)
    # Free runs come before the averaged weights are taken out again.
    every = settings.free_run_every
    validated = [FreeRunValidation(surrogate, validation, every, budget)] if every else []
    averaged = [AveragedWeights(settings.ema)] if settings.ema else []
    system = SystemMetrics() if settings.system_metrics else None
    forwarding = MetricForwarding(log_metrics, system)
    callbacks = [
        budget,
        DivergenceGuard(),
        *([system] if system else []),
        *validated,
        *averaged,
        EarlyStopping(monitor, patience=settings.patience, check_finite=False),
        best,
        latest,
        forwarding,
        EpochProgress(settings.progress_bar, budget),
    ]
    trainer = _make_trainer(settings, device, folder, callbacks)
    resume_from = latest_checkpoint(folder)
    module = SurrogateTraining(surrogate, settings, budget)
    if settings.compile:
        compile_network(surrogate.network, device)
    with out_of_memory_named(trainer):
        trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
    fitted = Fitted(forwarding.least, trainer.current_epoch, budget.time_elapsed())
    write_fitted(folder, fitted)
    load_best(surrogate, folder, device)
    return fitted


def _make_trainer(settings: SettingsConfig, device: torch.device, folder: Path, callbacks: list[Callback]) -> Trainer:
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=LIGHTNING_PRECISION[settings.precision],
        max_epochs=settings.epochs,
        gradient_clip_val=settings.gradient_clip,
        callbacks=callbacks,
        plugins=[WholeFiles()],
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
    """Give the surrogate the weights of the best monitored value."""
    saved = torch.load(folder / BEST_FILE, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "surrogate."
    surrogate.load_state_dict({key.removeprefix(prefix): v for key, v in saved.items() if key.startswith(prefix)})
    surrogate.to(device).eval()
