"""Runs as jobs of submitit: of Slurm, or of this machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search.launchers import OF_THIS_MACHINE, SECONDS_TO_END

SECONDS_BETWEEN_LOOKS = 1.0
# Programs by which jobs are handed to Slurm.
OF_SLURM = ("sbatch", "srun")


class Jobs:
    """Places in jobs of submitit: of Slurm, or processes of this machine.

    Args:
        launcher: of submitit.
    """

    def __init__(self, launcher: Any) -> None:
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
        from submitit.core.utils import JobPaths

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
        folder = params.pop("submitit_folder")
        self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **first)
        self._watchers = JobPaths.get_first_id_independent_folder(folder) / "watchers.err"
        self._executor.update_parameters(**params)
        self._running: dict[int, Any] = {}

    def start(self, number: int, overrides: list[str]) -> None:
        """See :class:`~surrogate_modeling.search.places.Places`."""
        # The launcher itself is what submitit runs, and starts again where Slurm stopped it before its end.
        given = overrides, "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()
        with _errors_into(self._watchers):
            self._running[number] = self._executor.submit(self.launcher, *given)

    def ended(self) -> dict[int, JobReturn | Exception]:
        """See :class:`~surrogate_modeling.search.places.Places`."""
        while not (over := [number for number, job in self._running.items() if job.done()]):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return {number: self._result(self._running.pop(number)) for number in over}

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While it is open, what is started waits, to be submitted together in the end."""
        try:
            with ExitStack() as stack, self._executor.batch():
                yield
                # Left after the batch, which is submitted where it is left.
                stack.enter_context(_errors_into(self._watchers))
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
        """See :class:`~surrogate_modeling.search.places.Places`."""
        running, self._running = list(self._running.values()), {}
        for job in running:
            job.cancel(check=False)
        deadline = time.monotonic() + SECONDS_TO_END
        while not all(job.done() for job in running) and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)


@contextmanager
def _errors_into(file: Path) -> Iterator[None]:
    """Processes that are started inside write their errors into a file.

    Where a job is a process of this machine, submitit starts one more to watch it, which prints a traceback when it is
    told to end.
    """
    with file.open("ab") as errors:
        before = os.dup(2)
        os.dup2(errors.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
