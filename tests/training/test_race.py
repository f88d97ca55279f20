"""Which trainings a race makes, and in which order."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from training.test_portfolio import RECIPE, SMALL, portfolio

from surrogate_modeling.config.models import PersistenceConfig
from surrogate_modeling.training import race
from surrogate_modeling.training.attempts import Attempt, ClosedForms
from surrogate_modeling.training.fold_pool import FoldJob, FoldOutcome
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.race import Race, TrainedMember
from surrogate_modeling.training.selection import Candidate

IDLE = replace(RECIPE, lr=1e-9)
MEMBERS = [
    TrainedMember(SMALL, IDLE),
    TrainedMember(replace(SMALL, width=5), RECIPE, "don-large"),
    TrainedMember(replace(SMALL, width=6), IDLE, "third"),
]


@pytest.mark.parametrize("is_cut_short", [False, True])
def test_a_process_without_work_trains_the_best_so_far_without_the_next_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cut_short: bool
) -> None:
    """Three networks on two processes leave one place, as the third is trained; the second network is the best then."""
    done: list[tuple[str, int]] = []

    def in_turn(
        training: FoldTraining,
        jobs: Sequence[FoldJob],
        processes: int,
        another: Callable[[], FoldJob | None],
    ) -> Iterator[FoldOutcome]:
        """Two processes: before the last job ends, the other one is free."""
        for job in [*jobs[:-1], None, *jobs[-1:], None]:
            job = job or another()
            if job is not None:
                done.append((job.name, job.fold))
                yield job.do(training)

    monkeypatch.setattr(race, "run_jobs", in_turn)
    monkeypatch.setattr(race, "processes_for", lambda training, jobs: min(2, jobs))
    training, _ = portfolio(tmp_path)
    if is_cut_short:
        monkeypatch.setattr(race, "whole_seconds", lambda result, settings: 1e9)
    monkeypatch.setattr(race, "MAX_STARTS", 1)
    end = time.monotonic() + 600 if is_cut_short else None
    trainings = Race(training, MEMBERS, ClosedForms(training, {}, []), [], end)
    trainings.run()
    ahead = [] if is_cut_short else [("don-large", 1)]
    assert done[: 3 + len(ahead)] == [("don", 0), ("don-large", 0), *ahead, ("third", 0)]
    # Of one kind the best goes on, and nothing is trained twice.
    assert done[3 + len(ahead) :] == [("don-large", k) for k in range(1 + len(ahead), 3)]
    assert {name: attempt.folds() for name, attempt in trainings.attempts.items()} == {"don-large": [0, 1, 2]}


def test_what_a_network_still_takes_is_shared_by_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings of 600 s, without two more folds, on four cores: over after 600 of 1,200 s."""
    seen: dict[str, float] = {}

    def choose(training: FoldTraining, others: object, candidates: Sequence[Candidate]) -> list[str]:
        seen.update({candidate.attempt.name: candidate.share for candidate in candidates})
        return []

    monkeypatch.setattr(race, "choose", choose)
    monkeypatch.setattr(race, "processes_for", lambda training, jobs: min(4, jobs))
    training, _ = portfolio(tmp_path)
    assert len(training.folds.parts) == 3
    alone = Race(training, MEMBERS[:1], ClosedForms(training, {}, []), [], time.monotonic() + 1200)
    alone.attempts = {"don": Attempt("don", SMALL)}
    alone._whole = {"don": 600.0}
    alone._choose([])
    assert seen == {"don": pytest.approx(0.5, abs=0.01)}


@pytest.mark.parametrize(("seconds_left", "is_looked_at"), [(15.0, False), (600.0, True)])
def test_a_closed_form_that_takes_longer_than_there_is_time_is_not_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds_left: float, is_looked_at: bool
) -> None:
    """Five seconds for one of three folds are 20 s for all of them and the fit on all cases."""
    look = Attempt("trees", PersistenceConfig())
    look.seconds = 5.0
    seen: list[str] = []

    def choose(training: FoldTraining, others: object, candidates: Sequence[Candidate]) -> list[str]:
        seen.extend(candidate.attempt.name for candidate in candidates)
        return []

    monkeypatch.setattr(race, "choose", choose)
    training, _ = portfolio(tmp_path)
    forms = ClosedForms(training, {}, [])
    monkeypatch.setattr(forms, "first_look", lambda name: look)
    alone = Race(training, [], forms, [Attempt("persistence", PersistenceConfig())], time.monotonic() + seconds_left)
    alone.run(["trees"])
    assert (seen, alone.untried) == ((["trees"], []) if is_looked_at else ([], ["trees"]))
