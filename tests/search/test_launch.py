"""What the storage is told of a trial that ended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage

from surrogate_modeling.search import away
from surrogate_modeling.search.launch import TrialLauncher
from surrogate_modeling.search.problem import Problem
from surrogate_modeling.search.settings import SearchSettings
from surrogate_modeling.search.space import parse_space
from surrogate_modeling.search.storage import Store
from surrogate_modeling.search.study import SearchStudy
from surrogate_modeling.search.workers import Worker


class Flaky(InMemoryStorage):
    """Memory whose next end of a trial fails, before or after it was kept."""

    fails = ""

    def set_trial_state_values(self, *given: Any, **named: Any) -> bool:
        fails, self.fails = self.fails, ""
        if fails == "before":
            raise StorageInternalError("away")
        kept = super().set_trial_state_values(*given, **named)
        if fails == "after":
            raise StorageInternalError("away")
        return kept


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrialLauncher:
    monkeypatch.setattr(away, "FIRST_PAUSE_SECONDS", 0.0)
    settings = SearchSettings({}, 3, 1, ("val_loss",), ("minimize",), "s", None, 0.5, "random", None)
    store = Store(Flaky(), tmp_path, None, "memory")
    study = SearchStudy(store, "s", parse_space(["a=range(1,3)"], {}), settings, Problem({}, {}, {}, {}))
    record: Any = SimpleNamespace(folder=tmp_path / "token" / "search")
    nothing: Any = None
    return TrialLauncher(study, nothing, nothing, nothing, record)


@pytest.mark.parametrize("fails", ["before", "after"])
@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_an_end_is_told_again_where_the_storage_did_not_answer(
    launcher: TrialLauncher, tmp_path: Path, caplog: pytest.LogCaptureFixture, fails: str, value: float
) -> None:
    """Also where it had kept the end, and only its answer was lost."""
    study, storage = launcher.study, launcher.study.store.storage
    assert isinstance(storage, Flaky)
    worker = Worker(tmp_path, storage)
    (trial,), _ = study.claim(worker, 1)
    storage.fails = fails
    launcher._tell(trial, JobReturn(_return_value=value, status=JobStatus.COMPLETED))
    worker.close()
    failed = value != value
    assert [trial.state.name for trial in study.trials()] == ["FAIL" if failed else "COMPLETE"]
    assert study.trials()[0].values == (None if failed else [1.5])
    assert (launcher.done, launcher.failed) == (1, int(failed))
    assert "given it up" not in caplog.text


def test_a_trial_that_another_process_gave_up_does_not_count(
    launcher: TrialLauncher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(tmp_path, launcher.study.store.storage)
    (trial,), _ = launcher.study.claim(worker, 1)
    launcher.study.interrupt(trial.number, "no beat")
    launcher._tell(trial, RuntimeError("it failed"))
    worker.close()
    assert launcher.done == 0
    assert "trial 0: another process had given it up; its result is lost" in caplog.messages
    assert launcher.study.trials()[0].user_attrs["reason"] == "no beat"
