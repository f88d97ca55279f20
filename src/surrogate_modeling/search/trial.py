"""The side of a trial: what its search asks of it, read from Hydra's configuration in whatever process it runs."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from surrogate_modeling.assignment import Assignment, Pruned
from surrogate_modeling.config import PROJECT_ROOT, Config, SettingsConfig, UserError

if TYPE_CHECKING:
    from filelock import FileLock
    from optuna.study import Study

log = logging.getLogger(__name__)
# Studies of this process, so that trials in it need not open the storage, and memory can be shared at all.
LIVE: dict[str, Study] = {}
_OPENED: dict[str, Any] = {}
_GPU: list[FileLock] = []


def assignment(run: SettingsConfig) -> Assignment:
    """What is asked of this run; empty unless a search started it.

    Args:
        run: the settings of the run.

    Raises:
        UserError: the objective cannot be measured with these settings.
    """
    hydra = HydraConfig.get()
    if hydra.mode is not RunMode.MULTIRUN or hydra.sweeper.get("objective") is None:
        return Assignment()
    from surrogate_modeling.search.settings import read_settings

    settings = read_settings(_with_hydra())
    if "val_nADE" in settings.objective and run.free_run_every is None:
        raise UserError("hydra.sweeper.objective=val_nADE: needs settings.free_run_every, or take nADE")
    number = hydra.sweeper.trial
    if number is None:
        return Assignment(settings.objective)
    tags = {"study": str(hydra.sweeper.study_name), "trial": str(number)}
    if hydra.sweeper.parent_run:
        tags["mlflow.parentRunId"] = str(hydra.sweeper.parent_run)
    watch = make_watch(number, run.monitor.value) if settings.prunes else None
    return Assignment(settings.objective, tags, watch, number)


def prepare_trial(config: Config) -> Config:
    """Make this process fit for a trial: one GPU, a quiet terminal, and no figures unless a number is asked for.

    Args:
        config: of the trial.

    Returns:
        The configuration to run.
    """
    quieten_console()
    take_gpu(PROJECT_ROOT / "hydra_experiment" / ".sqlite")
    if config.settings.num_figures is not None:
        return config
    return replace(config, settings=replace(config.settings, num_figures=0))


def _with_hydra() -> DictConfig:
    return cast(DictConfig, HydraConfig.instance().cfg)


def make_watch(number: int, monitor: str) -> Callable[[dict[str, float], int], None] | None:
    """A function that reports each epoch to the study and ends the run when the study's pruner says so.

    Args:
        number: of the trial.
        monitor: metric that is reported.
    """
    study = _study()
    if study is None:
        return None
    storage = study._storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)

    def watch(metrics: dict[str, float], epoch: int) -> None:
        value = metrics.get(monitor)
        if value is None:
            return
        storage.set_trial_intermediate_value(trial_id, epoch, value)
        if study.pruner.prune(study, storage.get_trial(trial_id)):
            raise Pruned(f"{monitor} {value:.4g} at epoch {epoch} is behind the earlier trials")

    return watch


def _study() -> Study | None:
    """The study of this trial: this process's own, or opened once per process."""
    sweeper = HydraConfig.get().sweeper
    name = str(sweeper.study_name)
    if name in LIVE:
        return LIVE[name]
    if sweeper.storage is None:
        log.warning("no pruning: hydra.sweeper.storage=null keeps the study in the memory of another process")
        return None
    if name not in _OPENED:
        import optuna
        from hydra.utils import instantiate

        from surrogate_modeling.search.storage import open_storage, quieten_optuna

        quieten_optuna()
        storage = open_storage(str(sweeper.storage)).storage
        _OPENED[name] = optuna.load_study(study_name=name, storage=storage, pruner=instantiate(sweeper.pruner))
    return _OPENED[name]


class FirstTime(logging.Filter):
    """Lets a warning through once in this process: what is said of the cases is true of every trial.

    Tracebacks are in the trial's log file; the search says in one line why a trial failed.
    """

    said: ClassVar[set[str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new, and no traceback."""
        if record.exc_info:
            return False
        message = record.getMessage()
        new = message not in self.said
        self.said.add(message)
        return new


def quieten_console() -> None:
    """Trials say everything in their log file; on the terminal only what needs a look, and once."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.WARNING)
            handler.addFilter(FirstTime())


def take_gpu(folder: Path) -> str | None:
    """Let this process see one GPU only, of several, and one that no other process of a search has taken.

    Must come before torch first touches a GPU. Slurm and Ray give each job its own already: then there is only one.

    Args:
        folder: for the locks that mark a GPU as taken; they go with the process.

    Returns:
        The GPU taken; None when there are not several, or all are taken (then all stay visible).
    """
    visible = visible_gpus()
    if _GPU or len(visible) < 2:
        return None
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    for gpu in visible:
        lock = FileLock(folder / f"gpu-{os.uname().nodename}-{gpu.replace('/', '_')}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _GPU.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return gpu
    log.warning(
        "all %d GPUs are taken by other trials; this one shares the first: fewer hydra.sweeper.n_jobs", len(visible)
    )
    return None


def visible_gpus() -> list[str]:
    """The GPUs this process may use, without loading torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() and name.strip() != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]
