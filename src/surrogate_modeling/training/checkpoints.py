"""Checkpoints and result files of a run, from which it can be resumed; each file is written atomically."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import first_line
from surrogate_modeling.training.lightning import LightningModule, ModelCheckpoint, TorchCheckpointIO, Trainer

log = logging.getLogger(__name__)
BEST_FILE, FIT_RESULT_FILE = "best.ckpt", "fitted.json"
KEPT_EPOCHS = 2
# Of the surrogate's weights among those of the training module.
WEIGHTS_PREFIX = "surrogate."


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoint writer that saves beside the final name, flushes to disk, and then renames."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save a checkpoint; on failure the previous file stays.

        Raises:
            NotWritten: with the path and the bytes needed.
        """
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(Path(path), buffer.getbuffer())


@dataclass(frozen=True)
class FitResult:
    """Result of a fit.

    Attributes:
        least: of each metric.
        epochs: done; of an ensemble those of the longest fit.
        seconds: it took; of an ensemble those of all fits.
        timed_out: whether ``settings.max_minutes`` ended it, or a member of it.
    """

    least: dict[str, float]
    epochs: int
    seconds: float = field(default=0.0, compare=False)
    timed_out: bool = field(default=False, compare=False)

    @property
    def val_loss(self) -> float:
        """The best validation loss."""
        return self.least["val_loss"]


def write_best_weights(folder: Path, weights: dict[str, Tensor]) -> None:
    """Save these weights of a surrogate as the best ones."""
    buffer = io.BytesIO()
    torch.save({"state_dict": {f"{WEIGHTS_PREFIX}{name}": value for name, value in weights.items()}}, buffer)
    write_atomic(folder / BEST_FILE, buffer.getbuffer())


def write_fit_result(folder: Path, fitted: FitResult) -> None:
    """Save the result of a finished fit, so that a run stopped later does not train another epoch."""
    write_atomic(folder / FIT_RESULT_FILE, json.dumps(asdict(fitted)).encode())


def read_fit_result(folder: Path) -> FitResult | None:
    """Read the result of a finished fit; None while it is not finished."""
    path = folder / FIT_RESULT_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        least = {str(name): float(value) for name, value in content["least"].items()}
        return FitResult(least, int(content["epochs"]), float(content["seconds"]), bool(content["timed_out"]))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        log.warning("%s is damaged (%s); training goes on from the last complete epoch", path, first_line(error))
        return None


class BestWeights(ModelCheckpoint):
    """Keep the weights of the least monitored value, among the epochs in which it was measured.

    Args:
        folder: of the checkpoints.
        monitor: metric that should fall.
        is_measured: whether the monitored value was measured in this epoch.
    """

    def __init__(self, folder: Path, monitor: str, is_measured: Callable[[], bool]) -> None:
        super().__init__(
            folder, monitor=monitor, filename=BEST_FILE.removesuffix(".ckpt"), save_top_k=1,
            enable_version_counter=False,
        )  # fmt: skip
        self.is_measured = is_measured

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the weights when a new value is better."""
        if self.is_measured():
            super().on_train_epoch_end(trainer, pl_module)


def checkpoints(folder: Path, monitor: str, is_measured: Callable[[], bool]) -> tuple[ModelCheckpoint, ModelCheckpoint]:
    """The callbacks that keep the best weights, and the last complete epochs to resume from."""
    best = BestWeights(folder, monitor, is_measured)
    latest = ModelCheckpoint(
        folder, monitor="epoch", mode="max", filename="{epoch}", save_top_k=KEPT_EPOCHS, save_on_train_epoch_end=True
    )
    return best, latest


def latest_checkpoint(folder: Path) -> Path | None:
    """The last complete checkpoint that can be read; damaged ones are skipped with a warning."""
    files = sorted(
        folder.glob("epoch=*.ckpt"), key=lambda path: int(path.stem.split("=")[1].split("-")[0]), reverse=True
    )
    for path in files:
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            log.warning("checkpoint %s is damaged (%s); trying the one before", path, first_line(error)[:200])
        else:
            return path
    return None
