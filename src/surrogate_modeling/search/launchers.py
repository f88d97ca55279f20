"""What Hydra's launchers have in common: their names, why one cannot start anything, a run in a process of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from omegaconf import DictConfig, open_dict

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.refusals import REFUSALS, one_line

OF_THIS_MACHINE = "hydra/launcher=submitit_local or joblib, processes of this machine"
# For cancelled trials to record their own end.
SECONDS_TO_END = 30.0


def launcher_name(config: DictConfig) -> str:
    """The launcher as it is chosen on the command line."""
    return f"hydra/launcher={config.hydra.runtime.choices.get('hydra/launcher')}"


@contextmanager
def launcher_refusals(config: DictConfig) -> Iterator[None]:
    """Turn errors of a launcher that starts something into one line.

    Args:
        config: Hydra's.

    Raises:
        UserError: it could not.
    """
    try:
        yield
    except REFUSALS:
        raise
    except Exception as error:  # any error: each launcher has its own
        raise UserError(
            f"{launcher_name(config)}: could not start: {one_line(error)}; correct its keys, hydra.launcher.<key>, or "
            f"take {OF_THIS_MACHINE}"
        ) from error


def joblib_processes(config: DictConfig) -> int | None:
    """How many processes the joblib launcher runs at once; None for another launcher.

    Args:
        config: Hydra's.

    Raises:
        UserError: the number of processes is 0.
    """
    launcher = config.hydra.launcher
    if "joblib" not in str(launcher.get("_target_", "")):
        return None
    import joblib

    given = launcher.get("n_jobs", 1)
    if given == 0:
        raise UserError("hydra.launcher.n_jobs=0: must be a number of processes, or -1 for one per core")
    return int(joblib.effective_n_jobs(given))


def run_trial(launcher: Any, number: int, overrides: list[str], singletons: Any) -> JobReturn:
    """Run one trial in the process that it was given, as Hydra's launchers do.

    Args:
        launcher: Hydra's.
        number: of the trial.
        overrides: its configuration.
        singletons: Hydra's state in the process of the search.
    """
    setup_globals()
    Singleton.set_state(singletons)
    config = launcher.hydra_context.config_loader.load_sweep_config(launcher.config, overrides)
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=launcher.hydra_context,
        task_function=launcher.task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
