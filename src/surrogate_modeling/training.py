"""Fitting a surrogate with Lightning: the step, the optimiser, and what watches the run.

Shape letters: B batch, H predicted rows of a window.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch.nn import functional as fn

from surrogate_modeling.config import Criterion, Device, Precision, SettingsConfig, UserError
from surrogate_modeling.surrogate import Surrogate, roll_out
from surrogate_modeling.windows import Batch, WindowData

log = logging.getLogger(__name__)
CRITERIA: dict[Criterion, Callable[[Tensor, Tensor], Tensor]] = {
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
    """One training step: roll the window out, compare with the truth in standardised units."""

    def __init__(self, surrogate: Surrogate, settings: SettingsConfig) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.settings = settings
        self.criterion = CRITERIA[settings.criterion]

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of one batch of windows."""
        return self._loss(batch, "train_loss")

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """The same on validation windows."""
        self._loss(batch, "val_loss")

    def _loss(self, batch: Batch, name: str) -> Tensor:
        past, control, truth = batch
        loss = self.criterion(roll_out(self.surrogate.network, past, control), truth)
        self.log(name, loss, on_step=False, on_epoch=True, batch_size=len(past), sync_dist=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam (Kingma and Ba 2015) with torch's defaults, in its fused form."""
        return torch.optim.Adam(self.surrogate.network.parameters(), lr=self.settings.lr, fused=True)


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
    """Hands the losses of each epoch to whoever keeps them."""

    def __init__(self, log_metrics: Callable[[dict[str, float], int], None]) -> None:
        self.log_metrics = log_metrics

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Training and validation loss, once an epoch."""
        names = ("train_loss", "val_loss")
        losses = {name: float(trainer.callback_metrics[name]) for name in names if name in trainer.callback_metrics}
        self.log_metrics(losses, trainer.current_epoch)


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

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Starts the clock."""
        self.started = time.monotonic()
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
        losses = " ".join(f"{name} {float(trainer.callback_metrics[name]):.3g}" for name in ("train_loss", "val_loss"))
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        if self.progress:
            self.progress.update(self.epochs, completed=done, losses=losses)
        now = time.monotonic()
        if not self.progress and (now - self.said > self.SECONDS_BETWEEN_LINES or done == total):
            self.said = now
            left = (now - self.started) / done * (total - done)
            log.info("epoch %d of %d: %s, at most %.0f s left", done, total, losses, left)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Gives the terminal back, however training ended."""
        if self.progress:
            self.progress.stop()


@dataclass(frozen=True)
class Fitted:
    """How fitting ended: the best validation loss and the number of epochs done."""

    val_loss: float
    epochs: int


def choose_device(settings: SettingsConfig) -> torch.device:
    """The device asked for, a CUDA GPU by default where there is one.

    Raises:
        UserError: ``cuda`` is asked for and there is none.
    """
    if settings.device is Device.cuda and not torch.cuda.is_available():
        raise UserError("settings.device=cuda: torch sees no CUDA GPU here; use auto or cpu")
    use_gpu = settings.device is not Device.cpu and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


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
    settings: SettingsConfig,
    folder: Path,
    log_metrics: Callable[[dict[str, float], int], None],
) -> Fitted:
    """Train in place; the surrogate leaves with the weights of the best validation loss.

    Args:
        surrogate: with fitted scaling.
        data: training and validation windows.
        settings: the recipe.
        folder: where checkpoints go.
        log_metrics: is given the losses and the epoch's number after each epoch.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
    """
    device = choose_device(settings)
    _quieten_lightning()
    torch.set_float32_matmul_precision("highest" if settings.precision is Precision.fp32 else "high")
    checkpoint = ModelCheckpoint(
        folder, monitor="val_loss", filename="best", save_top_k=1, enable_version_counter=False
    )
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=LIGHTNING_PRECISION[settings.precision],
        max_epochs=settings.epochs,
        callbacks=[
            DivergenceGuard(),
            EarlyStopping("val_loss", patience=settings.patience),
            checkpoint,
            MetricForwarding(log_metrics),
            EpochProgress(settings.progress_bar),
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    module = SurrogateTraining(surrogate, settings)
    trainer.fit(module, datamodule=data)
    best = torch.load(checkpoint.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    surrogate.to(device).eval()
    assert checkpoint.best_model_score is not None
    return Fitted(float(checkpoint.best_model_score), trainer.current_epoch)
