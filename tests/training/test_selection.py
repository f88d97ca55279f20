"""Which models a portfolio goes on with: gains and costs worked out by hand."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from lag import lag_case, make, settings

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.training.attempts import Attempt
from surrogate_modeling.training.folds import Folds, FoldTraining
from surrogate_modeling.training.selection import Candidate, choose, further_folds

RECIPE = settings()
CASES = [lag_case(60, i) for i in range(4)]


@pytest.fixture
def training(tmp_path: Path) -> FoldTraining:
    surrogate, _, _ = make(RECIPE)
    surrogate.scaling.fit([case.values for case in CASES])
    config = Config(DatasetConfig(path="", controls=1), DonConfig("don"), RECIPE)
    return FoldTraining(config, surrogate, Folds([CASES[:2], CASES[2:]]), tmp_path, lambda metrics, epoch: None)


def off_by(name: str, offsets: Sequence[float], cases: Sequence[Case] = CASES[:2]) -> Attempt:
    """Free runs over the first fold that are wrong by an offset in each case."""
    attempt = Attempt(name, DonConfig("don"))
    rows = [case.truth(50) + np.float32(offset) for case, offset in zip(cases, offsets, strict=True)]
    attempt.judge(cases, rows)
    return attempt


def test_what_pays_is_chosen_the_better_of_a_kind_and_the_rest_is_named(
    training: FoldTraining, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors of +0.1 and -0.1 cancel at equal weights, after which nothing is left to gain."""
    candidates = [
        Candidate(off_by("good", (0.1, 0.1)), "a", 0.9),
        Candidate(off_by("twin", (0.2, 0.2)), "a", 0.1),
        Candidate(off_by("opposite", (-0.1, -0.1)), "b", 0.9),
        Candidate(off_by("late", (0.3, 0.3)), "c", 0.0),
    ]
    with caplog.at_level(logging.INFO):
        assert choose(training, [], candidates) == ["good", "opposite"]
    assert "good is better than twin on the first fold" in caplog.text
    assert "late would take 0.0 % off" in caplog.text


def test_a_small_gain_pays_for_little_time_only(training: FoldTraining) -> None:
    """With weights w and 1 - w the errors are |w - 10 (1 - w)| and w + 10.9 (1 - w); their mean is least where the
    first is 0, at w = 1 / 1.1: 0.95, 5 % less than 1. That is enough for 0.4 of the time of the other (4 %), not
    for 0.6 of it (6 %), and what cannot be finished needs no more than what takes all of it."""
    better = Candidate(off_by("better", (1.0, 1.0)), "a", 0.8)
    for share, expected in ((0.2, 2), (0.6, 2), (0.8, 1), (7.0, 1)):
        wide = Candidate(off_by("wide", (-10.0, 10.9)), "b", share)
        assert choose(training, [], [better, wide]) == ["better", "wide"][:expected]


def test_time_that_no_other_takes_is_free(training: FoldTraining) -> None:
    """2 % are worth all of the time, half a per cent is not."""
    others = [off_by("flat", (1.0, 1.0))]
    for offset, expected in ((0.98, ["network"]), (0.995, [])):
        assert choose(training, others, [Candidate(off_by("network", (offset, offset)), "a", 7.0)]) == expected


def test_without_other_members_the_best_is_taken_and_what_diverged_is_not(training: FoldTraining) -> None:
    wild = off_by("wild", (np.inf, 0.1))
    candidates = [Candidate(wild, "a", 0.5), Candidate(off_by("poor", (2.0, 2.0)), "b", 0.5)]
    assert choose(training, [], candidates) == ["poor"]


@pytest.mark.parametrize(
    ("left", "processes", "trainings", "folds", "expected"),
    [
        (600.0, 1, [100.0, 50.0], 4, 4),
        (300.0, 1, [100.0, 50.0], 4, 2),
        (300.0, 2, [100.0, 50.0], 4, 4),
        (30.0, 1, [100.0], 4, 1),
        (30.0, 2, [100.0], 4, 2),
        (600.0, 2, [500.0], 4, 2),
        (100.0, 2, [100.0, 100.0, 100.0], 4, 1),
        (0.0, 1, [100.0], 4, 0),
        (10.0, 1, [100.0], 0, 0),
    ],
)
def test_folds_are_left_out_while_every_training_has_its_time(
    left: float, processes: int, trainings: list[float], folds: int, expected: int
) -> None:
    assert further_folds(left, processes, trainings, folds) == expected


def test_what_was_trained_ahead_is_not_trained_again() -> None:
    """In 100 s two processes train two networks of 100 s: with one that is there, three folds of one network."""
    assert further_folds(100.0, 2, [100.0], 4, done=1) == 3
    assert further_folds(0.0, 2, [100.0], 4, done=1) == 1
    assert further_folds(100.0, 2, [100.0, 100.0], 4, done=1) == 1
