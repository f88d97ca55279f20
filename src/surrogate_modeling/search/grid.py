"""Runs of ``-m`` without a search, such as the parts of ``generate``: all run, and each that fails is named."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.interruption import terminated_as_interrupt
from surrogate_modeling.config.refusals import REFUSALS, one_line
from surrogate_modeling.search.jobs import Jobs
from surrogate_modeling.search.launchers import joblib_processes, launcher_name, launcher_refusals
from surrogate_modeling.search.places import make_places

log = logging.getLogger(__name__)


class GridLauncher(Launcher):
    """Runs a grid in the places of one of Hydra's launchers: one that is killed takes no other with it.

    Args:
        launcher: Hydra's, set up.
        config: Hydra's.
    """

    def __init__(self, launcher: Launcher, config: DictConfig) -> None:
        self.launcher, self.config = launcher, config

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing to do: the launcher is set up."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run all, and wait for them.

        Args:
            job_overrides: of each run.
            initial_job_idx: number of the first.

        Raises:
            UserError: some failed, or the launcher cannot start them; the others came to their end.
            KeyboardInterrupt: stopped, as by SIGTERM; what ran was ended.
            Exception: an internal error of a run, for its traceback.
        """
        names = dict(enumerate(_names(job_overrides), initial_job_idx))
        with terminated_as_interrupt():
            results = self._run(dict(enumerate(map(list, job_overrides), initial_job_idx)), names)
        failed = {number: error for number in names if (error := _error(results[number])) is not None}
        if failed:
            refusal = self._refusal(failed, results, names)
            for number, error in failed.items():
                if isinstance(results[number], JobReturn) and not isinstance(error, REFUSALS):
                    log.error("%s", refusal)
                    raise error
            raise refusal
        return [result for _, result in sorted(results.items()) if isinstance(result, JobReturn)]

    def _run(self, runs: dict[int, list[str]], names: dict[int, str]) -> dict[int, JobReturn | Exception]:
        # In this process they run one after another, each between its own two lines.
        at_once = 1 if isinstance(self.launcher, BasicLauncher) else joblib_processes(self.config) or len(runs)
        places = make_places(self.launcher, self.config, at_once)
        waiting, results = deque(runs), dict[int, JobReturn | Exception]()

        def begin() -> None:
            """Start the next run."""
            number = waiting.popleft()
            places.start(number, runs[number])
            log.info("%s: started", names[number])

        # As one array of Slurm, whose limits hold then.
        batch = places.batch() if isinstance(places, Jobs) else nullcontext()
        try:
            with launcher_refusals(self.config), batch:
                for _ in range(min(at_once, len(runs))):
                    begin()
            while len(results) < len(runs):
                ended = places.ended()
                results |= ended
                for number in ended:
                    log.info("%s: %s", names[number], "done" if _error(ended[number]) is None else "failed")
                    if waiting:
                        begin()
        finally:
            places.close()
        return results

    def _refusal(
        self, failed: dict[int, Exception], results: dict[int, JobReturn | Exception], names: dict[int, str]
    ) -> UserError:
        """Name every run that failed, with why: by itself, or because its process ended."""
        lines = []
        for number, error in failed.items():
            ended = not isinstance(results[number], JobReturn)
            why = f"{launcher_name(self.config)}: {one_line(error)}; start it again" if ended else one_line(error)
            # Some refusals begin with the key that was given.
            named = len(names) == 1 or why.startswith(f"{names[number]}:")
            lines.append(why if named else f"{names[number]}: {why}")
        if len(names) == 1:
            return UserError(lines[0])
        done = len(names) - len(failed)
        others = f"{done or 'none'} {'is' if done < 2 else 'are'} done"
        listed = "".join(f"\n  {line}" for line in lines) if len(lines) > 1 else f" {lines[0]}"
        return UserError(f"{len(failed)} of {len(names)} runs failed, {others}:{listed}")


def _names(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """What each run has and not all have; its number, where that is nothing."""
    common = set(job_overrides[0]).intersection(*job_overrides)
    return [
        " ".join(word for word in words if word not in common) or f"run {i}" for i, words in enumerate(job_overrides)
    ]


def _error(result: JobReturn | Exception) -> Exception | None:
    if isinstance(result, Exception):
        return result
    # Hydra's own way to the error prints a line about it.
    error = result._return_value
    return error if result.status is JobStatus.FAILED and isinstance(error, Exception) else None
