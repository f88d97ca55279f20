"""Fitting a surrogate: gone on with where it was stopped, trained, and given the weights of the best epoch."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.settings import Monitor, SettingsConfig
from surrogate_modeling.surrogate.device import choose_devices
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.callbacks import free_run_nade
from surrogate_modeling.training.checkpoints import (
    BEST_FILE,
    WEIGHTS_PREFIX,
    FitResult,
    latest_checkpoint,
    read_fit_result,
    write_best_weights,
    write_fit_result,
)
from surrogate_modeling.training.compilation import accelerated, use_precision
from surrogate_modeling.training.job import Place, TrainingJob
from surrogate_modeling.training.launched import is_launched, train_launched
from surrogate_modeling.training.lightning import seed_everything
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.processes import train_in_processes

log = logging.getLogger(__name__)
ROUNDING = 1e-6


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

    Columns that are constant over the training cases are predicted as that.

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
    devices = choose_devices(settings)
    if (fitted := read_fit_result(folder)) is not None:
        load_best(surrogate, folder, devices[0])
        return fitted
    constant = surrogate.scaling.constant[surrogate.description.sizes.controls :]
    surrogate.network.silence(constant.nonzero().flatten())
    job = TrainingJob(surrogate, data, validation, settings, folder, latest_checkpoint(folder))
    start = None
    if settings.monitor is Monitor.val_nADE and validation:
        use_precision(accelerated(settings, devices[0], len(devices)).precision)
        start = _Start.of(surrogate.to(devices[0]), validation)
    fitted = _train(job, devices, on_epoch)
    if start:
        fitted = replace(fitted, least=start.kept_if_best(fitted.least, folder))
    write_fit_result(folder, fitted)
    load_best(surrogate, folder, devices[0])
    return fitted


def _train(job: TrainingJob, devices: Sequence[torch.device], on_epoch: OnEpoch) -> FitResult:
    """Train in this process, with those that a launcher started beside it, or in processes of its own."""
    if is_launched(job.settings):
        return train_launched(job, on_epoch)
    if len(devices) == 1:
        return job.run(on_epoch, Place(devices))
    return train_in_processes(job, devices, on_epoch)


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
        if "val_nADE" in least:
            log.info("no epoch was better than the start, which is kept")
        else:
            log.warning(
                "in no epoch were the free runs over the validation cases finite, so the weights from before training"
                " are kept; try a smaller settings.lr, or look for outliers in the cases"
            )
        write_best_weights(folder, self.weights)
        return {**least, "val_nADE": self.nade}


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
