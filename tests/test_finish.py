"""``finish`` asks a run that a process is at work on, and no other."""

from pathlib import Path

from builders import run_command

from surrogate_modeling.common import early_end
from surrogate_modeling.tracking.journal import JOURNAL, locked


def test_a_run_at_work_is_asked_to_end_its_training(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).touch()
    finish = ["-m", "surrogate_modeling.finish", f"run={tmp_path}"]
    idle = run_command(tmp_path, finish)
    assert idle.returncode == 2
    assert idle.stderr == (
        f"error: run={tmp_path}: no process is at work on {tmp_path}; pdm run train resume={tmp_path} goes on with it\n"
    )
    assert not early_end.is_asked(tmp_path)
    lock = locked(tmp_path)
    try:
        done = run_command(tmp_path, finish)
    finally:
        lock.release()
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}: training ends after its epoch; then the run is tested, reported and saved" in done.stdout
    assert early_end.asked_by(tmp_path) == "pdm run finish"


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["-m", "surrogate_modeling.finish", f"run={tmp_path / 'none'}"])
    assert done.returncode == 2
    assert f"run={tmp_path / 'none'}: no such run in" in done.stderr
    assert len(done.stderr.splitlines()) == 1
