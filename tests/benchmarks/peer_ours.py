"""This tool as a user runs it: ``train`` in a process of its own, and what it left in its tracking store."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peer_process import ToolFailed, run
from peer_task import PARTS, PeerTask

from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.deployment.loading import load_surrogate
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.database import SQLITE

TRAIN = PROJECT_ROOT / "src" / "surrogate_modeling" / "train.py"
# The command's own time beside the training: start, baselines, report, record.
BESIDE = 600.0


@dataclass(frozen=True)
class OwnRun:
    """What a run of ours left.

    Attributes:
        curve: seconds since the start of the run, and nADE of the validation cases in free run.
        rows: predicted of the test cases, in the columns' units.
        training_seconds: of the fits.
        prediction_seconds: per test case, at the second call.
        peak: of memory [bytes].
        seconds: of the whole command.
    """

    curve: list[tuple[float, float]]
    rows: list[np.ndarray]
    training_seconds: float
    prediction_seconds: float
    peak: int
    seconds: float


def run_ours(task: PeerTask, keys: list[str], folder: Path, budget: float, environment: dict[str, str]) -> OwnRun:
    """Train with ``max_minutes`` as the budget, keep the surrogate, and predict the test cases with it.

    Args:
        task: whose keys name the cases.
        keys: of model and recipe.
        folder: of this run.
        budget: seconds of training.
        environment: variables of the process.

    Raises:
        ToolFailed: the command failed, or its split is not that of the task.
    """
    folder.mkdir(parents=True)
    words = [
        sys.executable, str(TRAIN), *keys, *task.keys, f"settings.max_minutes={budget / 60:.4f}",
        "settings.is_save_model=True", "settings.num_figures=0", "settings.progress_bar=False", "settings.device=cpu",
        f"hydra.run.dir={folder / 'run'}",
    ]  # fmt: skip
    store = f"{SQLITE}{folder / 'mlflow.db'}"
    ran = run(words, folder, {**environment, "MLFLOW_TRACKING_URI": store}, 3 * budget + BESIDE)
    import mlflow

    client = mlflow.MlflowClient(store)
    (record,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    points = client.get_metric_history(record.info.run_id, "val_nADE")
    curve = [((point.timestamp - record.info.start_time) / 1000, point.value) for point in points]
    # The served model holds it too, deeper.
    file = min(folder.rglob("lit_model.pth"), key=lambda path: len(path.parts))
    surrogate = load_surrogate(str(file))
    check_split(task, surrogate)
    rows, prediction_seconds = predict_test(task, surrogate)
    training = record.data.metrics["training_seconds"]
    return OwnRun(curve, rows, training, prediction_seconds, ran.peak, ran.seconds)


def check_split(task: PeerTask, surrogate: Surrogate) -> None:
    """Raise :class:`ToolFailed` where the run's training, validation and test cases are not those of the task."""
    parts = surrogate.lineage[-1].parts
    for part in PARTS:
        if sorted(parts[part]) != task.names(part):
            raise ToolFailed(f"its {part} cases are not those of the task")


def predict_test(task: PeerTask, surrogate: Surrogate) -> tuple[list[np.ndarray], float]:
    """Predict the targets of the test cases twice, and time the second call; (T - given, targets) per case, seconds."""
    rows, seconds = [], 0.0
    for _ in range(2):
        began = time.perf_counter()
        rows = surrogate.predict(task.whole_test)
        seconds = time.perf_counter() - began
    targets = surrogate.description.channels.target_indices
    return [each[:, targets] for each in rows], seconds / len(rows)
