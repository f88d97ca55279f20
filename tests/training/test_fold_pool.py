"""Jobs side by side."""

import multiprocessing
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from training.test_portfolio import portfolio

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.training import fold_pool
from surrogate_modeling.training.fold_pool import run_jobs
from surrogate_modeling.training.folds import FoldTraining


@dataclass(frozen=True)
class Numbered:
    """A job that does nothing."""

    number: int

    def do(self, _training: FoldTraining) -> int:
        return self.number


@dataclass(frozen=True)
class Failing:
    """A job that fails, or whose process is killed."""

    killed: bool

    def do(self, _training: FoldTraining) -> int:
        if self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("the algorithm failed to converge")


@pytest.mark.parametrize(
    ("killed", "message"),
    [
        (False, "a fit of a fold failed: RuntimeError: the algorithm failed to converge"),
        (True, r"a process that fits a fold ended \(exit code -9\)"),
    ],
)
def test_what_ends_a_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool, message: str
) -> None:
    forked = multiprocessing.get_context("fork")
    monkeypatch.setattr(fold_pool, "fresh_processes", lambda: forked)
    training, _ = portfolio(tmp_path)
    with pytest.raises(UserError, match=message):
        list(run_jobs(training, [Failing(killed), Numbered(1)], 2))


def test_another_job_is_asked_for_when_none_waits_and_somebody_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = multiprocessing.get_context("fork")
    monkeypatch.setattr(fold_pool, "fresh_processes", lambda: forked)
    training, _ = portfolio(tmp_path)
    outcomes: list[int] = []
    known: list[int] = []

    def another() -> Numbered | None:
        known.append(len(outcomes))
        return Numbered(9) if len(known) == 1 else None

    for outcome in run_jobs(training, [Numbered(i) for i in range(3)], 2, another):
        outcomes.append(outcome)
    assert sorted(outcomes) == [0, 1, 2, 9]
    # Asked first when two of the three were done: a process is free, and the other has the third.
    assert known[0] == 2
    assert list(run_jobs(training, [Numbered(1)], 1, another)) == [1]
