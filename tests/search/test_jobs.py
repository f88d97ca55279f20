"""Jobs of submitit: how they end, and where what they say is kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.utils import JobReturn

from surrogate_modeling.search.jobs import Jobs, _errors_into


def test_jobs_that_are_refused_together_leave_nothing_to_end(tmp_path: Path) -> None:
    class Executor:
        @contextmanager
        def batch(self) -> Iterator[None]:
            yield
            raise ValueError("invalid partition")

    places = Jobs.__new__(Jobs)
    places._executor, places._running, places._watchers = Executor(), {}, tmp_path / "watchers.err"
    with pytest.raises(ValueError, match="invalid partition"), places.batch():
        places._running[4] = object()
    places.close()


def test_a_job_that_was_killed_says_where_its_output_is() -> None:
    errors = pytest.importorskip("submitit.core.utils")

    class Job:
        job_id, state, paths = "17", "OUT_OF_MEMORY", SimpleNamespace(stderr="log.err")

        def done(self) -> bool:
            return True

        def results(self) -> list[JobReturn]:
            raise errors.UncompletedJobError("a page\nof text")

    places = Jobs.__new__(Jobs)
    places._running = {4: Job()}
    (ended,) = places.ended().values()
    assert str(ended) == "job 17 ended without a result (state OUT_OF_MEMORY); what it printed is in log.err"


def test_what_watches_a_job_says_its_errors_in_a_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def say(text: str) -> None:
        subprocess.run([sys.executable, "-c", f"import sys; sys.stderr.write('{text}')"], check=True)

    file = tmp_path / "watchers.err"
    with _errors_into(file):
        say("one ")
    say("two")
    with _errors_into(file):
        say("three")
    assert file.read_text() == "one three"
    assert capfd.readouterr().err == "two"
