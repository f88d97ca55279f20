"""Where the trials of a search run, several at once: a place that is free takes the next trial at once.

Hydra's launchers start some runs and return when all of them have ended. With those of joblib, Ray and submitit each
trial is started and watched here instead, by what they build on and with their settings (of joblib's ``n_jobs`` alone,
where the search does not say).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any, Protocol

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.common.cores import CORES_VARIABLE, THREADS_VARIABLES, cores
from surrogate_modeling.search.jobs import Jobs
from surrogate_modeling.search.launchers import SECONDS_TO_END, launcher_refusals, run_trial

# Results of trials are small; what Ray would take by itself does not fit into /dev/shm of many containers [bytes].
RAY_OBJECT_STORE = 78_643_200


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
