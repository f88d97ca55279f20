"""The end of a parent run where its files cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import mlflow
import pytest
from builders import empty_store

from surrogate_modeling.common.atomic_file import NotWritten
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.parent import ParentRun


class Recorded:
    """Stands for a run; keeps how it ended."""

    def __init__(self, disk_is_full: bool = False) -> None:
        self.disk_is_full, self.metrics, self.status = disk_is_full, dict[str, float](), list[str]()

    def log_metrics(self, values: dict[str, float]) -> None:
        if self.disk_is_full:
            raise NotWritten("tracking.jsonl: No space left on device")
        self.metrics |= values

    def finish(self, status: str) -> str:
        self.status.append(status)
        return "the store"


def parent(tmp_path: Path, recorded: Recorded) -> ParentRun:
    run = ParentRun(tmp_path / "record", "e", "search s", tags={}, params={})
    run._run = cast(Any, recorded)
    return run


def full_disk(_: str) -> Mapping[str, float]:
    raise NotWritten("trials.csv: No space left on device")


def test_both_reasons_are_said_where_the_files_of_a_failed_search_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded()
    with pytest.raises(UserError, match="^12 of 20 trials failed$"), parent(tmp_path, recorded).recording(full_disk):
        raise UserError("12 of 20 trials failed")
    assert recorded.status == ["FAILED"]
    assert caplog.messages == ["search s: its files could not be written: trials.csv: No space left on device"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotWritten("no space"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (KeyError("x"), "FAILED")],
)
def test_what_only_its_files_end_is_recorded_so(tmp_path: Path, error: BaseException, status: str) -> None:
    recorded = Recorded()

    def write(_: str) -> Mapping[str, float]:
        raise error

    with pytest.raises(type(error)) as raised, parent(tmp_path, recorded).recording(write):
        pass
    assert raised.value is error
    assert recorded.status == [status]


def test_the_end_is_recorded_where_the_metrics_cannot_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorded = Recorded(disk_is_full=True)
    with parent(tmp_path, recorded).recording(lambda _: {"best": 1.0}):
        pass
    assert recorded.status == ["FINISHED"]
    assert caplog.messages == ["search s: its metrics could not be recorded: tracking.jsonl: No space left on device"]


def test_a_run_whose_files_cannot_be_written_ends_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = empty_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run = ParentRun(tmp_path / "out" / "a" / "search-1", "ended", "search s", tags={}, params={})
    run.start()
    with pytest.raises(NotWritten), run.recording(full_disk):
        pass
    (found,) = mlflow.MlflowClient(uri).search_runs(
        [mlflow.MlflowClient(uri).get_experiment_by_name("ended").experiment_id]
    )
    assert found.info.status == "FAILED"
