"""Fits of several folds side by side, each in a process of its own with its share of the cores.

A small network keeps one core busy, and hardly two; so does a linear fit. On a GPU they follow each other in this
process. A trial of a search that runs several on this machine has its share of the cores.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.common import early_end
from surrogate_modeling.common.child_process import follow_parent, fresh_processes, interrupts_held_back
from surrogate_modeling.common.cores import cores, numpy_on_one_core
from surrogate_modeling.common.errors import TrainingDiverged, UserError, first_line
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.folds import FoldTraining

# Every process holds the rows of all cases.
MAX_BYTES_PER_PROCESS = 500_000_000
# However little time is left, a training gets this.
MIN_TRAINING_MINUTES = 0.05
# For a process that is gone to be known as such.
SECONDS_TO_END = 5.0

Outcome = TypeVar("Outcome")
OutcomeOfJob = TypeVar("OutcomeOfJob", covariant=True)


class Job(Protocol[OutcomeOfJob]):
    """Work on the cases of one fold that is sent to a process."""

    def do(self, training: FoldTraining) -> OutcomeOfJob:
        """Do it; what it gives is sent back."""
        ...


class FoldOutcome(NamedTuple):
    """Result of a training.

    Attributes:
        job: that was done.
        weights: of the network.
        rows: free runs (H, P) over the cases of the fold, physical units.
        result: of the fit; None where it diverged.
        metrics: of each epoch, with its number.
        begun: whether it was; not where training was asked to end before.
    """

    job: FoldJob
    weights: dict[str, Tensor]
    rows: list[np.ndarray]
    result: FitResult | None
    metrics: list[tuple[dict[str, float], int]]
    begun: bool = True


@dataclass(frozen=True)
class FoldJob:
    """One training.

    Attributes:
        name: of the network.
        model: its sizes.
        settings: its recipe.
        fold: left out.
        start: number of the start.
        weights: that it starts from; None: those that have a closed form are fitted first, within its time.
        optional: whether it is not begun once training was asked to end.
    """

    name: str
    model: ModelConfig
    settings: SettingsConfig
    fold: int
    start: int
    weights: dict[str, Tensor] | None
    optional: bool = False

    def do(self, training: FoldTraining) -> FoldOutcome:
        """Train the network without its fold; a training that diverges has no result."""
        if self.optional and early_end.is_asked(training.folder):
            return FoldOutcome(self, {}, [], None, [], begun=False)
        began = time.monotonic()
        alone = self._started(training)
        settings = self.settings
        if settings.max_minutes is not None:
            left = settings.max_minutes - (time.monotonic() - began) / 60
            settings = replace(settings, max_minutes=max(MIN_TRAINING_MINUTES, left))
        metrics: list[tuple[dict[str, float], int]] = []
        own = replace(training, on_epoch=lambda values, epoch: metrics.append((values, epoch)))
        try:
            name = f"{self.name}/start{self.start}" if self.start else self.name
            result = own.fit(name, alone, settings, self.fold)
        except TrainingDiverged:
            return FoldOutcome(self, {}, [], None, metrics)
        rows = training.folds.free_runs(self.fold, alone.predict)
        return FoldOutcome(self, _weights(alone), rows, result, metrics)

    def _started(self, training: FoldTraining) -> Surrogate:
        """The network before training."""
        if self.weights is None:
            return training.start(self.model, self.fold)
        return network_of(training, self.model, self.weights)


class StartOutcome(NamedTuple):
    """Weights in closed form, and free runs (H, P) over the cases of the fold."""

    fold: int | None
    weights: dict[str, Tensor]
    rows: list[np.ndarray]


@dataclass(frozen=True)
class StartJob:
    """The closed-form weights of a network, fitted without a fold; None: on all cases."""

    model: ModelConfig
    fold: int | None

    def do(self, training: FoldTraining) -> StartOutcome:
        """Fit them."""
        alone = training.start(self.model, self.fold)
        rows = [] if self.fold is None else training.folds.free_runs(self.fold, alone.predict)
        return StartOutcome(self.fold, _weights(alone), rows)


def _weights(alone: Surrogate) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in alone.network.state_dict().items()}


def processes_for(training: FoldTraining, jobs: int) -> int:
    """How many fits run side by side."""
    settings = training.config.settings
    rows = sum(case.values.nbytes for case in training.folds.cases)
    if training.surrogate.device.type != "cpu" or settings.is_debug or rows > MAX_BYTES_PER_PROCESS:
        return 1
    return max(1, min(jobs, settings.workers or cores()))


def run_jobs(
    training: FoldTraining,
    jobs: Sequence[Job[Outcome]],
    processes: int,
    another: Callable[[], Job[Outcome] | None] = lambda: None,
) -> Iterator[Outcome]:
    """Do all jobs, and yield each outcome as it comes.

    Args:
        training: the cases in folds.
        jobs: to do.
        processes: side by side.
        another: asked for a job where a process has none while others work, after their outcomes were yielded.

    Raises:
        UserError: a process was killed.
    """
    if processes > 1:
        yield from _side_by_side(training, jobs, processes, another)
    else:
        yield from (job.do(training) for job in jobs)


def _side_by_side(
    training: FoldTraining, jobs: Sequence[Job[Outcome]], processes: int, another: Callable[[], Job[Outcome] | None]
) -> Iterator[Outcome]:
    waiting = deque(jobs)
    # Not fork: this process has threads of torch and of the tracking client.
    context = fresh_processes()
    threads = max(1, cores() // processes)
    # Callbacks stay here.
    sent = replace(training, on_epoch=_unheard)
    workers: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(min(processes, len(waiting))):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs, sent, threads), daemon=True)
            with interrupts_held_back():
                worker.start()
            theirs.close()
            workers[ours] = worker
            with _death_told(worker):
                ours.send(waiting.popleft())
        while workers:
            (connection,) = wait(list(workers))[:1]
            assert isinstance(connection, Connection)
            with _death_told(workers[connection]):
                outcome = connection.recv()
            if isinstance(outcome, UserError):
                raise outcome
            if waiting:
                with _death_told(workers[connection]):
                    connection.send(waiting.popleft())
                yield outcome
                continue
            yield outcome
            if len(workers) > 1 and (job := another()) is not None:
                with _death_told(workers[connection]):
                    connection.send(job)
            else:
                workers.pop(connection).terminate()
    finally:
        for worker in workers.values():
            worker.terminate()


@contextmanager
def _death_told(worker: SpawnProcess) -> Iterator[None]:
    """Say what happened where the process at the other end is gone."""
    try:
        yield
    except (EOFError, OSError):
        worker.join(SECONDS_TO_END)
        raise UserError(
            f"a process that fits a fold ended (exit code {worker.exitcode}), most likely for want of memory; "
            "settings.workers=1 fits one model at a time"
        ) from None


def _unheard(metrics: dict[str, float], epoch: int) -> None:
    """Stand in for a callback that stays in the parent process."""


def _work(connection: Connection, training: FoldTraining, threads: int) -> None:
    """Do jobs until the parent ends."""
    follow_parent()
    torch.set_num_threads(threads)
    quiet = replace(training.config, settings=replace(training.config.settings, progress_bar=False))
    training = replace(training, config=quiet)
    with numpy_on_one_core():
        while True:
            job: Job[Any] = connection.recv()
            try:
                outcome = job.do(training)
            except UserError as error:
                outcome = error
            # Any other error would end this process, and the reason would be lost.
            except Exception as error:
                outcome = UserError(f"a fit of a fold failed: {type(error).__name__}: {first_line(error)}")
            connection.send(outcome)


def network_of(training: FoldTraining, model: ModelConfig, weights: dict[str, Tensor]) -> Surrogate:
    """A surrogate with a network of these weights."""
    alone = training.single(Member(model.name, model))
    alone.network.load_state_dict(weights)
    return alone.eval()
