"""Fitting a surrogate with Lightning: the step, the optimiser, and what watches the run.

Shape letters: B batch, H predicted rows of a window, P predicted columns.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, WeightAveraging
from torch import Tensor
from torch.nn import functional as fn

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
from surrogate_modeling.config import Criterion, Precision, Schedule, SettingsConfig, UserError
from surrogate_modeling.scores import score
from surrogate_modeling.surrogate import Surrogate, pick_device, roll_out
from surrogate_modeling.windows import Batch, WindowData, epoch_seed

log = logging.getLogger(__name__)
METRICS = ("train_loss", "val_loss", "val_nADE")
# What is left of the learning rate at the end of the cosine.
LAST_RATE = 0.02
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


class TrainingDiverged(UserError):
    """The loss is no longer a number."""


class SurrogateTraining(LightningModule):
    """One training step: roll the window out, compare with the truth in standardised units.

    Args:
        surrogate: with fitted scaling; its network is trained in place.
        settings: the recipe.
    """

    column_weight: Tensor

    def __init__(self, surrogate: Surrogate, settings: SettingsConfig) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.settings = settings
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
        predicted = roll_out(self.surrogate.network, past, control, self.settings.cut_gradients)
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
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, steps, settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def rate_factor(step: int, steps: int, settings: SettingsConfig) -> float:
    """Learning rate of a step as a share of ``lr``: linear warm-up, then constant or half a cosine down to 2 %.

    The cosine is that of Loshchilov and Hutter 2017 (SGDR) without restarts.
    """
    warmup = settings.warmup * steps
    rise = min(1.0, (step + 1) / warmup) if warmup >= 1 else 1.0
    if settings.lr_schedule is Schedule.constant:
        return rise
    return rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))


class AveragedWeights(WeightAveraging):
    """Exponential moving average of the weights, which is what gets validated and kept (Polyak and Juditsky 1992).

    Args:
        decay: of the average; smaller in the first steps, so that the random start is forgotten.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=lambda mean, new, count: mean + (new - mean) * (1 - _decay(decay, count)))


def _decay(decay: float, count: Tensor | int) -> float:
    return min(decay, (1.0 + float(count)) / (10.0 + float(count)))


class FreeRunValidation(Callback):
    """Every few epochs the validation cases in free run: ``val_nADE``, what users will see, at the cost of a second."""

    def __init__(self, cases: Sequence[Case], every: int) -> None:
        self.cases, self.every, self.latest = cases, every, math.inf

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Scores the weights that are being validated; between free runs the latest score stands."""
        done = trainer.current_epoch + 1
        if done % self.every == 0 or done == trainer.max_epochs:
            assert isinstance(module, SurrogateTraining)
            surrogate = module.surrogate
            self.latest = score(
                self.cases, surrogate.predict(self.cases), surrogate.description.channels, surrogate.predicted_scale
            ).nade
        module.log("val_nADE", self.latest)

    def state_dict(self) -> dict[str, float]:
        """For a resumed run."""
        return {"latest": self.latest}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.latest = state_dict["latest"]


class DivergenceGuard(Callback):
    """Stops at the first loss that is not finite, with the place and what to try."""

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Checks each batch on the CPU; on a GPU every 50th, because each check waits for the device."""
        loss = outputs["loss"]
        if loss.device.type == "cpu" or batch_idx % 50 == 0:
            self._check(loss, trainer, f"batch {batch_idx}")

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Checks the validation loss."""
        if "val_loss" in trainer.callback_metrics:
            self._check(trainer.callback_metrics["val_loss"], trainer, "validation")

    def _check(self, loss: Tensor, trainer: Trainer, where: str) -> None:
        if not bool(torch.isfinite(loss)):
            raise TrainingDiverged(
                f"the loss became {float(loss)} in epoch {trainer.current_epoch}, {where}; try a smaller settings.lr, "
                "settings.precision=fp32, or look for outliers in the cases"
            )


class MetricForwarding(Callback):
    """Hands the metrics of each epoch to whoever keeps them, and remembers the least of each."""

    def __init__(self, log_metrics: Callable[[dict[str, float], int], None]) -> None:
        self.log_metrics = log_metrics
        self.least: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Once an epoch, after validation; a metric that is not there yet is infinite and left out."""
        metrics = {name: float(trainer.callback_metrics[name]) for name in METRICS if name in trainer.callback_metrics}
        metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.log_metrics(metrics, trainer.current_epoch)
        self.least |= {name: min(value, self.least.get(name, math.inf)) for name, value in metrics.items()}

    def state_dict(self) -> dict[str, float]:
        """For a resumed run."""
        return dict(self.least)

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.least = dict(state_dict)


class EpochProgress(Callback):
    """Epoch, losses and time left: a bar on a terminal, a line now and then elsewhere."""

    SECONDS_BETWEEN_LINES = 5.0

    def __init__(self, bar: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.progress: Progress | None = None
        if bar and console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[losses]}"),
            )
            self.progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
            self.epochs = self.progress.add_task("epochs", losses="")
            self.batches = self.progress.add_task("batches", losses="")
        self.started = self.said = 0.0
        self.first_epoch = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Starts the clock."""
        self.started, self.first_epoch = time.monotonic(), trainer.current_epoch
        if self.progress:
            self.progress.update(self.epochs, total=trainer.max_epochs, completed=trainer.current_epoch)
            self.progress.start()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Empties the bar of batches."""
        if self.progress:
            self.progress.reset(self.batches, total=trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar of batches."""
        if self.progress:
            self.progress.advance(self.batches)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Shows the losses."""
        metrics = trainer.callback_metrics
        losses = " ".join(f"{name} {float(metrics[name]):.3g}" for name in METRICS if name in metrics)
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        if self.progress:
            self.progress.update(self.epochs, completed=done, losses=losses)
        now = time.monotonic()
        if not self.progress and (now - self.said > self.SECONDS_BETWEEN_LINES or done == total):
            self.said = now
            left = (now - self.started) / (done - self.first_epoch) * (total - done)
            log.info("epoch %d of %d: %s, at most %.0f s left", done, total, losses, left)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Gives the terminal back, however training ended."""
        if self.progress:
            self.progress.stop()


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
    """
    device = choose_device(settings)
    _quieten_lightning()
    torch.set_float32_matmul_precision("highest" if settings.precision is Precision.fp32 else "high")
    monitor = settings.monitor.value
    if (fitted := read_fitted(folder)) is not None:
        load_best(surrogate, folder, device)
        return fitted
    best, latest = checkpoints(folder, monitor)
    # Free runs come before the averaged weights are taken out again.
    validated = [FreeRunValidation(validation, settings.free_run_every)] if settings.free_run_every else []
    averaged = [AveragedWeights(settings.ema)] if settings.ema else []
    forwarding = MetricForwarding(log_metrics)
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=LIGHTNING_PRECISION[settings.precision],
        max_epochs=settings.epochs,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[
            DivergenceGuard(),
            *validated,
            *averaged,
            EarlyStopping(monitor, patience=settings.patience, check_finite=False),
            best,
            latest,
            forwarding,
            EpochProgress(settings.progress_bar),
        ],
        plugins=[WholeFiles()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    resume_from = latest_checkpoint(folder)
    trainer.fit(SurrogateTraining(surrogate, settings), datamodule=data, ckpt_path=resume_from, weights_only=True)
    fitted = Fitted(forwarding.least, trainer.current_epoch)
    write_fitted(folder, fitted)
    load_best(surrogate, folder, device)
    return fitted


def load_best(surrogate: Surrogate, folder: Path, device: torch.device) -> None:
    """Give the surrogate the weights of the best monitored value."""
    saved = torch.load(folder / BEST_FILE, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "surrogate."
    surrogate.load_state_dict({key.removeprefix(prefix): v for key, v in saved.items() if key.startswith(prefix)})
    surrogate.to(device).eval()
