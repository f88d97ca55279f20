"""Start, resume and end a run in its record, and describe its code version and device."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surrogate_modeling.common.atomic_file import NotWritten, full_disk
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.interruption import terminated_as_interrupt
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.common.run_log import make_logs_safe, report_full_disk_once, warnings_counted
from surrogate_modeling.config.commands import Config
from surrogate_modeling.experiment.assignment import Pruned
from surrogate_modeling.tracking.journal import recorded_tags
from surrogate_modeling.tracking.run import Run

log = logging.getLogger(__name__)
CHANGED_TAG_PREFIX = "resumed."


def open_run(config: Config, folder: Path, name: str, tags: dict[str, str]) -> Run:
    """Start a new run, or resume the one whose record is in the folder.

    Args:
        config: checked.
        folder: of the run.
        name: of a new run.
        tags: of a new run; to a resumed run only those that begin with ``resumed.`` are added.

    Raises:
        UserError: that run was trained on other cases, or another process is at work on it.
    """
    before = recorded_tags(folder)
    if before is None:
        params = {key: str(value) for key, value in config.flat().items()}
        return Run.start(folder, config.settings.mlflow_exp_name, name, tags, params)
    if before["dataset_fingerprint"] != tags["dataset_fingerprint"]:
        raise UserError(f"{folder}: this run was trained on other cases than are in {config.dataset.path} now")
    run = Run.resume(folder)
    # Parameters of a run are fixed in MLflow; settings changed on resuming are recorded as tags.
    run.set_tags({key: value for key, value in tags.items() if key.startswith(CHANGED_TAG_PREFIX)})
    return run


@contextmanager
def recorded(run: Run, command: str = "train") -> Iterator[Run]:
    """Record how the block ends: FINISHED, FAILED with the error as a tag, or KILLED; files are sent in any case.

    Args:
        run: that was started.
        command: whose run it is; only a training can go on where it was stopped.
    """
    status, can_go_on = "FINISHED", False
    report_full_disk_once()
    make_logs_safe()
    with warnings_counted() as warned:
        try:
            with terminated_as_interrupt():
                yield run
        # Lightning turns Ctrl-C during fitting into SystemExit.
        except (KeyboardInterrupt, SystemExit):
            status, can_go_on = "KILLED", True
            raise KeyboardInterrupt from None
        except Pruned as pruned:
            status = "KILLED"
            run.set_tags({"pruned": str(pruned)})
            raise
        except BaseException as error:
            refusal = full_disk(error, run.folder) if isinstance(error, OSError) else None
            status, can_go_on = "FAILED", isinstance(refusal or error, NotWritten)
            _note_error(run, refusal or error)
            if refusal:
                raise refusal from None
            raise
        finally:
            if warned.counts:
                log.info("warnings of this run:\n%s", warned.summary())
            _end(run, status, can_go_on and command == "train")


def _end(run: Run, status: str, can_go_on: bool) -> None:
    place, folder = run.finish(status), run.folder
    if place:
        log.info("%s; artifacts are in %s", status, place)
    else:
        log.warning(
            "%s, but the run is not in the tracking store yet; it waits in %s. Send it with: pdm run send %s",
            status, folder, folder,
        )  # fmt: skip
    if can_go_on:
        log.info("go on with: pdm run train resume=%s", folder)


def _note_error(run: Run, error: BaseException) -> None:
    try:
        run.set_tags({"error": f"{type(error).__name__}: {error}"[:5000]})
    except NotWritten:
        log.warning("the error is not in the run's record: the disk is full")
    if not isinstance(error, UserError):
        log.exception("the run failed")


def git_commit() -> str:
    """Git commit of the project, with ``-dirty`` if files differ from it; ``unknown`` outside a repository."""
    command = ["git", "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def device_name(kind: str) -> str:
    """Name of the device: ``cpu``, or the GPU's name."""
    if kind == "cpu":
        return kind
    import torch

    return torch.cuda.get_device_name()
