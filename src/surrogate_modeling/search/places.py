"""Where the trials of a search run, several at once: a place that is free takes the next trial at once.

Hydra's launchers start some runs and return when all of them have ended. With those of joblib, Ray and submitit each
trial is started and watched here instead, by what they build on and with their settings (of joblib's ``n_jobs`` alone,
where the search does not say).
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any, Protocol

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf, open_dict

from surrogate_modeling.common.cores import CORES_VARIABLE, THREADS_VARIABLES, cores
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.refusals import REFUSALS, one_line

# Results of trials are small; what Ray would take by itself does not fit into /dev/shm of many containers [bytes].
RAY_OBJECT_STORE = 78_643_200
OF_THIS_MACHINE = "hydra/launcher=submitit_local or joblib, processes of this machine"
SECONDS_BETWEEN_LOOKS = 1.0
# Programs by which jobs are handed to Slurm.
OF_SLURM = ("sbatch", "srun")
# For cancelled trials to record their own end.
SECONDS_TO_END = 30.0


class Places(Protocol):
    """Where trials run."""

    def start(self, number: int, overrides: list[str]) -> None:
        """Start a trial.

        Args:
            number: of the trial.
            overrides: its configuration.
        """

    def ended(self) -> dict[int, JobReturn | Exception]:
        """Wait until a trial has ended.

        Returns:
            What Hydra says of each trial that has, by number, or the error that ended its process.
        """

    def close(self) -> None:
        """End the trials that still run."""


def make_places(launcher: Launcher, config: DictConfig, at_once: int) -> Places:
    """The places of a search.

    Args:
        launcher: Hydra's; one that is not known here, or joblib's with one trial at a time, is left to itself.
        config: Hydra's.
        at_once: trials that run together.

    Raises:
        UserError: the launcher cannot start anything here.
    """
    kinds: dict[tuple[str, str], Any] = {
        ("hydra_joblib_launcher", "JoblibLauncher"): Processes,
        ("hydra_ray_launcher", "RayLauncher"): RayTasks,
        ("hydra_submitit_launcher", "LocalLauncher"): Jobs,
        ("hydra_submitit_launcher", "SlurmLauncher"): Jobs,
    }
    kind = kinds.get((type(launcher).__module__.split(".")[1], type(launcher).__name__))
    if kind is None or (kind is Processes and at_once == 1):
        return Together(launcher, config)
    with launcher_refusals(config):
        return Processes(launcher, at_once) if kind is Processes else kind(launcher)


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
        UserError: none.
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


class Together:
    """Any launcher: what was started runs when it is waited for, and all of it ends together.

    Args:
        launcher: Hydra's.
        config: Hydra's.
    """

    def __init__(self, launcher: Launcher, config: DictConfig) -> None:
        self.launcher, self.config = launcher, config
        self._waiting: dict[int, list[str]] = {}

    def start(self, number: int, overrides: list[str]) -> None:
        """See :class:`Places`."""
        self._waiting[number] = overrides

    def ended(self) -> dict[int, JobReturn | Exception]:
        """See :class:`Places`; an error of the launcher ended all of them."""
        numbers = list(self._waiting)
        try:
            with _quiet_launcher():
                returns = self.launcher.launch(list(self._waiting.values()), initial_job_idx=numbers[0])
        except Exception as error:
            return dict.fromkeys(numbers, error)
        finally:
            self._waiting.clear()
            # A trial in this process sets its own log up.
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return dict(zip(numbers, returns, strict=True))

    def close(self) -> None:
        """See :class:`Places`: nothing runs outside of :meth:`ended`."""


class Processes:
    """Processes of this machine, for the joblib launcher, by the library that joblib starts its own with.

    Each is on its own: one that is killed takes no other trial with it.

    Args:
        launcher: of joblib.
        at_once: trials that run together.
    """

    def __init__(self, launcher: Launcher, at_once: int) -> None:
        from joblib.externals import loky

        self.launcher = launcher
        threads = str(max(1, cores() // at_once))
        environment = {name: os.environ.get(name, threads) for name in (*THREADS_VARIABLES, CORES_VARIABLE)}
        self._make = lambda: loky.ProcessPoolExecutor(max_workers=1, env=environment)
        self._free: list[Any] = []
        self._running: dict[Future[JobReturn], tuple[int, Any]] = {}

    def start(self, number: int, overrides: list[str]) -> None:
        """See :class:`Places`."""
        process = self._free.pop() if self._free else self._make()
        future = process.submit(run_trial, self.launcher, number, overrides, Singleton.get_state())
        self._running[future] = number, process

    def ended(self) -> dict[int, JobReturn | Exception]:
        """See :class:`Places`."""
        over: dict[int, JobReturn | Exception] = {}
        for future in wait(self._running, return_when=FIRST_COMPLETED).done:
            number, process = self._running.pop(future)
            try:
                over[number] = future.result()
                self._free.append(process)
            except Exception as error:
                over[number] = error
                process.shutdown(kill_workers=True)
        return over

    def close(self) -> None:
        """See :class:`Places`."""
        for process in [*self._free, *(process for _, process in self._running.values())]:
            process.shutdown(kill_workers=True)
        self._free.clear()
        self._running.clear()


class RayTasks:
    """Tasks of Ray; more than its cluster has room for wait there.

    Args:
        launcher: of Ray.
    """

    def __init__(self, launcher: Any) -> None:
        import ray

        self.ray, self.launcher = ray, launcher
        # What a failed trial asks for is decided by the search.
        options = {"max_retries": 0, **(_plain(launcher.ray_cfg.remote) or {})}
        self._task = ray.remote(**options)(run_trial)
        self._running: dict[Any, int] = {}

    def start(self, number: int, overrides: list[str]) -> None:
        """See :class:`Places`."""
        if not self.ray.is_initialized():
            given = _plain(self.launcher.ray_cfg.init) or {}
            # A cluster that is there already has its own.
            own = {"object_store_memory": RAY_OBJECT_STORE} if given.get("address") is None else {}
            self.ray.init(**{**own, **given})
        task = self._task.remote(self.launcher, number, overrides, Singleton.get_state())
        self._running[task] = number

    def ended(self) -> dict[int, JobReturn | Exception]:
        """See :class:`Places`."""
        (task,), _ = self.ray.wait(list(self._running), num_returns=1)
        number = self._running.pop(task)
        try:
            return {number: self.ray.get(task)}
        except Exception as error:
            return {number: error}

    def close(self) -> None:
        """See :class:`Places`."""
        running, self._running = list(self._running), {}
        for task in running:
            self.ray.cancel(task, force=True)
        if running:
            self.ray.wait(running, num_returns=len(running), timeout=SECONDS_TO_END)


class Jobs:
    """Jobs of submitit: of Slurm, or processes of this machine.

    Args:
        launcher: of submitit.
    """

    def __init__(self, launcher: Any) -> None:
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        self.launcher, cluster = launcher, launcher._EXECUTOR
        if cluster == "slurm" and (missing := [name for name in OF_SLURM if shutil.which(name) is None]):
            raise UserError(
                f"hydra/launcher=submitit_slurm: no {' and no '.join(missing)} here, which Slurm has on its login "
                f"nodes; start the command there, or take {OF_THIS_MACHINE}"
            )
        # Keys of one kind of cluster bear its name, those that a job is made with apart from those of the executor.
        common = set(OmegaConf.structured(BaseQueueConf))
        params = {key if key in common else f"{cluster}_{key}": value for key, value in launcher.params.items()}
        retries = f"{cluster}_max_num_timeout"
        first = {key: params.pop(key) for key in (retries,) if key in params}
        self._executor = submitit.AutoExecutor(folder=params.pop("submitit_folder"), cluster=cluster, **first)
        self._executor.update_parameters(**params)
        self._running: dict[int, Any] = {}

    def start(self, number: int, overrides: list[str]) -> None:
        """See :class:`Places`."""
        # The launcher itself is what submitit runs, and starts again where Slurm stopped it before its end.
        given = overrides, "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()
        self._running[number] = self._executor.submit(self.launcher, *given)

    def ended(self) -> dict[int, JobReturn | Exception]:
        """See :class:`Places`."""
        while not (over := [number for number, job in self._running.items() if job.done()]):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return {number: self._result(self._running.pop(number)) for number in over}

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While it is open, what is started waits, to be submitted together in the end."""
        try:
            with self._executor.batch():
                yield
        except BaseException:
            # None of them was submitted, so that there is nothing to end.
            self._running.clear()
            raise

    def _result(self, job: Any) -> JobReturn | Exception:
        from submitit.core.utils import UncompletedJobError

        try:
            return job.results()[0]
        except UncompletedJobError:
            # Its text is a page, with all that the job printed.
            return UserError(
                f"job {job.job_id} ended without a result (state {job.state}); what it printed is in {job.paths.stderr}"
            )
        except Exception as error:
            return error

    def close(self) -> None:
        """See :class:`Places`."""
        running, self._running = list(self._running.values()), {}
        for job in running:
            job.cancel(check=False)
        deadline = time.monotonic() + SECONDS_TO_END
        while not all(job.done() for job in running) and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _plain(config: Any) -> Any:
    """A part of Hydra's configuration as a dictionary."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Launchers log each trial once more, with every override."""
    loggers = [logging.getLogger(name) for name in ("hydra._internal.core_plugins", "hydra_plugins")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
