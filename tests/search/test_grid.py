"""Runs of ``-m`` without a search: all come to their end, and every failure is named."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from builders import run_command
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.search import grid
from surrogate_modeling.search.grid import GridLauncher
from surrogate_modeling.search.places import make_places

GENERATE = [str(PROJECT_ROOT / "src" / "surrogate_modeling" / "generate.py")]
PARTS = [[f"part={i}/3", "dataset.cases=9"] for i in (1, 2, 3)]


class Fake:
    """A launcher whose runs end with what is given: a value, or an error of the run; or it fails itself."""

    def __init__(self, ends: Sequence[Any], error: Exception | None = None) -> None:
        self.ends, self.error = ends, error

    def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        if self.error:
            raise self.error
        assert len(overrides) == len(self.ends)
        assert initial_job_idx == 4
        return [
            JobReturn(_return_value=end, status=JobStatus.FAILED if isinstance(end, Exception) else JobStatus.COMPLETED)
            for end in self.ends
        ]


def config(launcher: str = "fake") -> DictConfig:
    return OmegaConf.create(
        {
            "hydra": {
                "hydra_logging": {"root": None},
                "verbose": False,
                "launcher": {"_target_": "fake"},
                "runtime": {"choices": {"hydra/launcher": launcher}},
            }
        }
    )


def launch(launcher: Any, overrides: Sequence[Sequence[str]] = PARTS) -> list[JobReturn]:
    return GridLauncher(launcher, config()).launch(overrides, 4)


def test_what_all_runs_return_is_returned_in_their_order() -> None:
    assert [result.return_value for result in launch(Fake([7, 8, 9]))] == [7, 8, 9]


def test_every_part_that_fails_is_named_by_what_it_has_alone() -> None:
    with pytest.raises(UserError) as told:
        launch(Fake([UserError("case0001 failed"), 0, UserError("case0003 failed")]))
    assert str(told.value) == (
        "2 of 3 runs failed, 1 is done:\n  part=1/3: case0001 failed\n  part=3/3: case0003 failed"
    )
    with pytest.raises(UserError, match=r"^1 of 3 runs failed, 2 are done: part=2/3: no disk$"):
        launch(Fake([0, UserError("no disk"), 0]))
    with pytest.raises(UserError, match=r"^no disk$"):
        launch(Fake([UserError("no disk")]), [["part=1/1"]])


def test_a_launcher_that_fails_is_named_in_one_line() -> None:
    error = RuntimeError("the node\nis gone")
    with pytest.raises(UserError) as told:
        launch(Fake([], error))
    line = "hydra/launcher=fake: RuntimeError: the node is gone; start it again"
    assert str(told.value) == "3 of 3 runs failed, none is done:" + "".join(
        f"\n  part={i}/3: {line}" for i in (1, 2, 3)
    )


def test_sigterm_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Places:
        """Ends nothing until the process is told to end."""

        running: ClassVar[list[int]] = []
        closed: ClassVar[list[int]] = []

        def start(self, number: int, _: list[str]) -> None:
            self.running.append(number)

        def ended(self) -> dict[int, JobReturn]:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            return {}

        def close(self) -> None:
            self.closed.extend(self.running)

    monkeypatch.setattr(grid, "make_places", lambda *_: Places())
    # Where it is not caught it would end this process.
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("SIGTERM is not caught"))
    try:
        with pytest.raises(KeyboardInterrupt):
            launch(Fake([]))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert Places.closed == [4, 5, 6]


def test_an_internal_error_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        launch(Fake([UserError("no disk"), 0, ZeroDivisionError("by zero")]))
    assert "2 of 3 runs failed, 1 is done:\n  part=1/3: no disk\n  part=3/3: ZeroDiv" in caplog.text


def test_slurm_that_is_not_here_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.submitit_launcher")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/srun" if name == "srun" else None)
    with pytest.raises(UserError) as told:
        make_places(module.SlurmLauncher(), config("submitit_slurm"), 2)
    assert str(told.value) == (
        "hydra/launcher=submitit_slurm: no sbatch here, which Slurm has on its login nodes; start the command there, "
        "or take hydra/launcher=submitit_local or joblib, processes of this machine"
    )


def test_a_key_that_a_launcher_does_not_take_is_said_in_one_line(tmp_path: Path) -> None:
    module = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.submitit_launcher")
    launcher = module.LocalLauncher(submitit_folder=str(tmp_path), timeout_min="long")
    with pytest.raises(
        UserError, match=r"^hydra/launcher=submitit_local: could not start: \w+: [^\n]*; correct its keys"
    ):
        make_places(launcher, config("submitit_local"), 2)


def test_parts_of_generate_that_fail_are_all_named(tmp_path: Path) -> None:
    keys = ["dataset=command", "dataset.command=[none]", "dataset.path=cases", "dataset.inputs={valve:[0,1]}"]
    done = run_command(tmp_path, GENERATE, "-m", "part=1/2,2/9x", f"hydra.sweep.dir={tmp_path}/sweep", *keys)
    assert done.returncode == 2
    head, first, second = done.stderr.splitlines()
    assert head == "error: 2 of 2 runs failed, none is done:"
    assert first.startswith("  part=1/2: `none` is a program: it would be run 50 times")
    assert second.startswith("  part=2/9x: give k/N")
