"""Time of a training: its limit, the share of it that is used, and the end of an epoch that would exceed it."""

from __future__ import annotations

import logging
import math
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from surrogate_modeling.common import early_end
from surrogate_modeling.training.lightning import LightningModule, Timer, Trainer

log = logging.getLogger(__name__)
# Seconds that an epoch may go on when its time is over.
MAX_OVERRUN = 5.0
SECONDS_BETWEEN_CHECKS = 1.0


class TimeBudget(Timer):
    """Count the seconds of training, earlier interrupted runs included, and stop after the epoch that exceeds them.

    So it does after the epoch in which the training is asked to end, see :mod:`surrogate_modeling.common.early_end`.
    An epoch that takes long is cut ``MAX_OVERRUN`` seconds later, but for several processes, which must agree.

    Must come before whatever asks :attr:`over`: it is decided once per epoch, when validation begins, so that the
    last epoch is validated in full.

    Args:
        minutes: None for no limit.
        folder: of the checkpoints, whose run may be asked to end; None: nothing asks.
    """

    def __init__(self, minutes: float | None, folder: Path | None = None) -> None:
        super().__init__(None if minutes is None else timedelta(minutes=minutes), verbose=False)
        self.minutes, self.folder, self.over = minutes, folder, False
        self._agreed: list[float] = []
        self._checked_at, self._over_since = 0.0, math.inf

    @property
    def share(self) -> float:
        """Used share of the budget; 0 where there is none."""
        return 0.0 if self.minutes is None else self.time_elapsed() / (60 * self.minutes)

    def share_at(self, part: float) -> float:
        """Used share of the budget at a part of the epoch; several processes go by one clock, read once an epoch."""
        if not self._agreed:
            return self.share
        before, now = self._agreed
        return now + part * (now - before)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Agree with the other processes on the time."""
        if trainer.world_size > 1:
            now = float(trainer.strategy.broadcast(self.share))
            self._agreed = [(self._agreed or [now, now])[1], now]

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Decide whether this epoch is the last."""
        super().on_validation_start(trainer, module)
        if self._is_asked and not self.over:
            log.info("training was asked to end: epoch %d is its last", trainer.current_epoch + 1)
        self.over = trainer.strategy.broadcast(self._is_asked or self.share >= 1.0)

    @property
    def _is_asked(self) -> bool:
        return self.folder is not None and early_end.is_asked(self.folder)

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Cut an epoch that goes on for long after its time; Lightning then validates."""
        now = time.monotonic()
        if trainer.world_size > 1 or now < self._checked_at + SECONDS_BETWEEN_CHECKS:
            return
        self._checked_at = now
        if self._is_asked or self.share >= 1.0:
            self._over_since = min(self._over_since, now)
        if now >= self._over_since + MAX_OVERRUN and not trainer.should_stop:
            log.info("epoch %d is cut: its time is over", trainer.current_epoch + 1)
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """End training when the budget is used up, or it was asked to end."""
        trainer.should_stop = trainer.should_stop or self.over
