"""Lightning callbacks of a fit: averaged weights, free-run validation, divergence, progress, metrics."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import TrainingDiverged
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.lightning import (
    Callback,
    EarlyStopping,
    LightningModule,
    Trainer,
    WeightAveraging,
)
from surrogate_modeling.training.system_metrics import SystemMetrics
from surrogate_modeling.training.time_budget import TimeBudget

log = logging.getLogger(__name__)
METRICS = ("train_loss", "val_loss", "val_nADE")


class AveragedWeights(WeightAveraging):
    """Exponential moving average of the weights, which is validated and kept (Polyak and Juditsky 1992).

    After n steps the decay is at most (1 + n) / (10 + n), so that the random start is forgotten.

    Args:
        decay: of the average.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update after each step, unless the module calls :meth:`update` in its own steps."""
        if pl_module.automatic_optimization:
            self.update(pl_module)
        self._latest_update_step = trainer.global_step

    @torch.no_grad()
    def update(self, module: LightningModule) -> None:
        """Update the average after a step; torch's own form asks the GPU for the number of steps each time."""
        average = cast(AveragedModel, self._average_model)
        count = average.n_averaged
        share = 1.0 - ((1.0 + count) / (10.0 + count)).clamp(max=self.decay)
        share = torch.where(count == 0, torch.ones_like(share), share)
        # Not the buffers: they are constants, some of them infinite, of which a mean is no number.
        means, news = (list[Tensor](each.parameters()) for each in (average.module, module))
        steps = torch._foreach_sub(news, means)
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(means, steps)
        count += 1


def free_run_nade(surrogate: Surrogate, cases: Sequence[Case]) -> float:
    """nADE of the free run over some cases, the error that a user of the surrogate sees."""
    return score(cases, surrogate.predict(cases), surrogate.description.channels, surrogate.predicted_scale).nade


class FreeRunValidation(Callback):
    """Score the validation cases in free run every few epochs, as ``val_nADE``; this takes about a second."""

    def __init__(self, surrogate: Surrogate, cases: Sequence[Case], every: int, budget: TimeBudget) -> None:
        self.surrogate, self.cases, self.every, self.latest = surrogate, cases, every, math.inf
        self.budget, self.measured = budget, False

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Score the weights being validated; between free runs the latest score is repeated."""
        done = trainer.current_epoch + 1
        self.measured = done % self.every == 0 or done == trainer.max_epochs or self.budget.over
        if self.measured:
            # The runs of all cases are one batch: other processes wait for the first.
            nade = free_run_nade(self.surrogate, self.cases) if trainer.is_global_zero else math.inf
            self.latest = float(trainer.strategy.broadcast(nade))
        module.log("val_nADE", self.latest, sync_dist=True)

    def state_dict(self) -> dict[str, float]:
        """State to resume from."""
        return {"latest": self.latest}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Resume from a saved state."""
        self.latest = state_dict["latest"]


class Patience(EarlyStopping):
    """Early stopping that counts measurements of the monitored value instead of epochs.

    Args:
        monitor: metric that should fall.
        patience: measurements without a better one before training stops.
        is_measured: whether the monitored value was measured in this epoch.
    """

    def __init__(self, monitor: str, patience: int, is_measured: Callable[[], bool]) -> None:
        super().__init__(monitor, patience=patience, check_finite=False)
        self.is_measured = is_measured

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the monitored value when it is new."""
        if self.is_measured():
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a saved state; a resumed run may use another patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class DivergenceGuard(Callback):
    """Stop at the first loss that is not finite, and name the place and possible remedies."""

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss of each batch on the CPU; checking on a GPU, or with other processes, would wait for it."""
        loss = outputs["loss"]
        if loss.device.type == "cpu" and trainer.world_size == 1:
            self._check(loss, trainer, f"batch {batch_idx}")

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Check the validation loss."""
        if "val_loss" in trainer.callback_metrics:
            self._check(trainer.callback_metrics["val_loss"], trainer, "validation")

    def _check(self, loss: Tensor, trainer: Trainer, where: str) -> None:
        if not bool(torch.isfinite(loss)):
            raise TrainingDiverged(
                f"the loss became {float(loss)} in epoch {trainer.current_epoch}, {where}; try a smaller settings.lr, "
                "settings.precision=fp32, or look for outliers in the cases"
            )


class MetricForwarding(Callback):
    """Pass the metrics of each epoch to a callback, and keep the least of each."""

    def __init__(self, on_epoch: OnEpoch, system: SystemMetrics | None = None) -> None:
        self.on_epoch, self.system = on_epoch, system
        self.least: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Forward the metrics after validation; a metric that is not there yet is infinite and left out."""
        metrics = {name: float(trainer.callback_metrics[name]) for name in METRICS if name in trainer.callback_metrics}
        metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.on_epoch({**metrics, **(self.system.latest if self.system else {})}, trainer.current_epoch)
        self.least |= {name: min(value, self.least.get(name, math.inf)) for name, value in metrics.items()}

    def state_dict(self) -> dict[str, float]:
        """State to resume from."""
        return dict(self.least)

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Resume from a saved state."""
        self.least = dict(state_dict)


class EpochProgress(Callback):
    """Show epoch, losses and time left: a progress bar on a terminal, a log line now and then elsewhere."""

    SECONDS_BETWEEN_LINES = 5.0
    SECONDS_BETWEEN_LINES_WITHIN = 15.0

    def __init__(self, bar: bool, budget: TimeBudget) -> None:
        self.budget = budget
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
        self.started = self.last_line_at = 0.0
        self.first_epoch = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self.started, self.first_epoch = time.monotonic(), trainer.current_epoch
        if self.progress:
            self.progress.update(self.epochs, total=trainer.max_epochs, completed=trainer.current_epoch)
            self.progress.start()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Reset the progress bar of batches."""
        if self.progress:
            self.progress.reset(self.batches, total=trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the progress bar of batches."""
        if self.progress:
            self.progress.advance(self.batches)
        elif (now := time.monotonic()) - max(self.started, self.last_line_at) > self.SECONDS_BETWEEN_LINES_WITHIN:
            self.last_line_at = now
            log.info(
                "epoch %d of %d: %d of %d batches", trainer.current_epoch + 1, trainer.max_epochs or 0, batch_idx + 1,
                trainer.num_training_batches,
            )  # fmt: skip

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the losses of the epoch."""
        metrics = trainer.callback_metrics
        # Infinite: not measured yet.
        shown = {name: float(metrics[name]) for name in METRICS if name in metrics}
        losses = " ".join(f"{name} {value:.3g}" for name, value in shown.items() if value < math.inf)
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        if self.progress:
            self.progress.update(self.epochs, completed=done, losses=losses)
        now = time.monotonic()
        if not self.progress and (now - self.last_line_at > self.SECONDS_BETWEEN_LINES or done == total):
            self.last_line_at = now
            left = (now - self.started) / (done - self.first_epoch) * (total - done)
            left = min(left, max(0.0, remaining)) if (remaining := self.budget.time_remaining()) is not None else left
            log.info("epoch %d of %d: %s, at most %.0f s left", done, total, losses, left)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Close the progress bar, however training ended."""
        if self.progress:
            self.progress.stop()
