"""Lightning module of the training step: free run over a window, loss against the truth, optimiser.

Shape letters: B batch, H predicted rows of a window, P predicted columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, distributed
from torch.nn import functional as fn
from torch.optim import Optimizer

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.config.settings import Criterion, LrSchedule, SettingsConfig
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.lightning import LightningModule, Metric
from surrogate_modeling.training.loaders import epoch_seed
from surrogate_modeling.training.time_budget import TimeBudget

# What is left of the learning rate at the end of the cosine.
FINAL_RATE_SHARE = 0.02


# In training standard deviations. A network that is still untrained runs away over hundreds of rows: what lies farther
# out has nothing to teach, and its square is soon infinite.
MAX_FED_BACK = 1000.0


CRITERIA: dict[Criterion, Callable[..., Tensor]] = {
    Criterion.mse: fn.mse_loss,
    Criterion.l1: fn.l1_loss,
    Criterion.smoothl1: fn.smooth_l1_loss,
}


def column_weights(channels: Channels, byproduct_weight: float) -> Tensor:
    """Weights of the predicted columns in a loss (P,): those of byproducts less, their mean 1."""
    weight = torch.full((len(channels.predicted),), byproduct_weight)
    weight[channels.target_indices] = 1.0
    return weight / weight.mean()


class RowMean(Metric):
    """Mean loss over all valid rows of an epoch, independent of batching, over all devices."""

    total: Tensor
    rows: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("rows", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, loss: Tensor, rows: Tensor) -> None:
        """Add a batch: its mean loss and the number of its valid rows."""
        self.total += loss * rows
        self.rows += rows

    def compute(self) -> Tensor:
        """The mean so far."""
        return self.total / self.rows


class SurrogateTraining(LightningModule):
    """Training module: free run over each window and loss against the truth in standardised units.

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
        weight = column_weights(surrogate.description.channels, settings.byproduct_weight)
        self.register_buffer("column_weight", weight, persistent=False)
        self.train_loss, self.val_loss = RowMean(), RowMean()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout and noise from seed and epoch alone, so a resumed run equals an uninterrupted one."""
        # Not at the start of the epoch: the loader draws after that, but before in a resumed run.
        if batch_idx == 0:
            # Processes that train together draw numbers of their own: no user's seed is that large.
            seed = self.settings.seed + self.trainer.global_rank * 2**32
            torch.manual_seed(epoch_seed(seed, self.current_epoch))
        if self.automatic_optimization:
            self.set_rate(batch_idx, int(self.trainer.num_training_batches))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of one batch of windows, over the horizon of this epoch."""
        loss, valid = self.training_loss(batch)
        self.log_loss("train_loss", self.train_loss, loss, valid)
        processes = distributed.get_world_size() if distributed.is_initialized() else 1
        if processes == 1:
            return loss
        # Gradients are averaged over the processes; so that this is the mean over valid rows, each counts by its own.
        rows = self.trainer.strategy.reduce(valid.clone(), reduce_op="sum")
        return loss * valid * processes / rows

    def training_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean loss over the valid rows of a batch of windows, and how many they are."""
        rows = self.horizon()
        past, control, truth, weight = batch
        if self.settings.noise:
            past = past.clone()
            # Behind the predicted columns there may be the number of a unit.
            given = past[..., control.shape[-1] :][..., : truth.shape[-1]]
            given += self.settings.noise * torch.randn_like(given)
        return self._loss(past, control[:, :rows], truth[:, :rows], weight[:, :rows])

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Validation loss of a batch of windows, over the whole horizon and without noise."""
        self.log_loss("val_loss", self.val_loss, *self._loss(*batch))

    def log_loss(self, name: str, mean: RowMean, loss: Tensor, valid: Tensor) -> None:
        """Add the mean loss of some valid rows to that of the epoch."""
        mean.update(loss.detach(), valid)
        self.log(name, mean, on_step=False, on_epoch=True)

    def set_rate(self, batch: int, batches: int) -> None:
        """Set the learning rate of a step in the optimiser.

        Args:
            batch: of this epoch, from 0.
            batches: of an epoch.
        """
        settings = self.settings
        if settings.lr_schedule is LrSchedule.constant and not settings.warmup:
            return
        step, steps = self.current_epoch * batches + batch, settings.epochs * batches
        rate = settings.lr * rate_factor(step, steps, settings, self.budget.share_at(batch / batches))
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    @property
    def optimizer(self) -> Optimizer:
        """The only optimiser, without Lightning's wrapper."""
        return cast(Optimizer, self.optimizers(use_pl_optimizer=False))

    def horizon(self) -> int:
        """Number of rows of a window that this epoch trains on."""
        settings = self.settings
        full, growth = settings.loss_rows, settings.horizon_growth
        share = min(1.0, (self.current_epoch + 1) / growth) if growth else 1.0
        return settings.out_len + round(share * (full - settings.out_len))

    def _loss(self, past: Tensor, control: Tensor, truth: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        network, cut = self.surrogate.network, self.settings.cut_gradients
        predicted = network.free_run(past, control, cut_gradients=cut, bound=MAX_FED_BACK)
        per_row = (self.criterion(predicted, truth, reduction="none") * self.column_weight).mean(dim=-1)
        valid = weight.sum()
        # Of several processes, one may have no row.
        return (per_row * weight).sum() / valid.clamp(min=1.0), valid

    def configure_optimizers(self) -> Optimizer:
        """AdamW (Loshchilov and Hutter 2019), which without weight decay is Adam (Kingma and Ba 2015)."""
        settings = self.settings
        parameters = list(self.surrogate.network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=settings.lr, fused=True)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by the norm of all gradients.

        Lightning's own refuses a fused optimiser with bf16, as it must with fp16.
        """
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
    if settings.lr_schedule is LrSchedule.constant:
        return rise
    course = min(1.0, max(step / max(1, steps), spent))
    return rise * (FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 0.5 * (1 + math.cos(math.pi * course)))
