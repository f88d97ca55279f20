"""Claims of trials from a storage that fails in the middle of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search.problem import Problem
from surrogate_modeling.search.settings import SearchSettings
from surrogate_modeling.search.space import parse_space
from surrogate_modeling.search.storage import Store
from surrogate_modeling.search.study import REASON, SearchStudy
from surrogate_modeling.search.workers import Worker


class Flaky(InMemoryStorage):
    """Memory that fails in the calls whose numbers are given, of those that draw parameters or end trials."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.failing = 0, set[int]()

    def _count(self) -> None:
        self.calls += 1
        if self.calls in self.failing:
            raise StorageInternalError("away")

    def set_trial_param(self, *given: Any, **named: Any) -> None:
        self._count()
        super().set_trial_param(*given, **named)

    def set_trial_state_values(self, *given: Any, **named: Any) -> bool:
        self._count()
        return super().set_trial_state_values(*given, **named)


def open_study(storage: InMemoryStorage, folder: Path) -> SearchStudy:
    settings = SearchSettings({}, 3, 2, ("val_loss",), ("minimize",), "s", None, 0.5, "random", None)
    space = parse_space(["a=range(1,3)"], {})
    return SearchStudy(Store(storage, folder, None, "memory"), "s", space, settings, Problem({}, {}, {}, {}))


@pytest.fixture
def study(tmp_path: Path) -> SearchStudy:
    return open_study(Flaky(), tmp_path)


@pytest.mark.parametrize("error", [StorageInternalError("away"), OSError(116, "Stale file handle")])
def test_a_study_whose_storage_is_away_is_not_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def away(*_: object) -> None:
        raise error

    storage = InMemoryStorage()
    monkeypatch.setattr(storage, "set_study_user_attr", away)
    with pytest.raises(
        UserError, match=r"^hydra.sweeper.storage=memory does not answer: .*(away|Stale).*; when it does"
    ):
        open_study(storage, tmp_path)


def test_a_trial_that_was_left_in_its_claim_is_given_up_and_its_point_tried_again(
    study: SearchStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage, worker = study.store.storage, Worker(tmp_path, study.store.storage)
    assert isinstance(storage, Flaky)
    # Neither its parameter nor its end can be written.
    storage.failing = {1, 2}
    with pytest.raises(StorageInternalError):
        study.claim(worker, 2)
    assert [trial.state.name for trial in study.trials()] == ["RUNNING"]
    claimed, dead = study.claim(worker, 2)
    assert [trial.number for trial in claimed] == [1, 2]
    assert dead == []
    states = {trial.number: trial.state.name for trial in study.trials()}
    assert states == {0: "FAIL", 1: "RUNNING", 2: "RUNNING"}
    assert study.trials()[0].user_attrs[REASON] == "not started: the storage of the study did not answer"
    assert "trial 0 was not started, as the storage did not answer: it does not count" in caplog.messages
    worker.close()


def test_what_was_taken_before_the_storage_failed_runs(study: SearchStudy, tmp_path: Path) -> None:
    storage, worker = study.store.storage, Worker(tmp_path, study.store.storage)
    assert isinstance(storage, Flaky)
    storage.failing = {2}
    claimed, _ = study.claim(worker, 2)
    assert [trial.number for trial in claimed] == [0]
    # Its end could be written.
    assert [trial.state.name for trial in study.trials()] == ["RUNNING", "FAIL"]
    claimed, _ = study.claim(worker, 1)
    assert [trial.number for trial in claimed] == [2]
    worker.close()


def test_dead_trials_are_named_where_the_first_claim_failed_after_them(study: SearchStudy, tmp_path: Path) -> None:
    storage, worker = study.store.storage, Worker(tmp_path, study.store.storage)
    assert isinstance(storage, Flaky)
    # Of a process that ended before it could mark the trial as its own.
    study.study.ask()
    storage.failing = {2}
    with pytest.raises(StorageInternalError):
        study.claim(worker, 1)
    claimed, dead = study.claim(worker, 1)
    assert [trial.number for trial in dead] == [0]
    assert [trial.number for trial in claimed] == [2]
    worker.close()
