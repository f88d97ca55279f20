"""Resume a stopped run: find it, and apply the settings that may change."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surrogate_modeling.common import early_end
from surrogate_modeling.common.console import LOG_FORMAT
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import reload_config, save_config
from surrogate_modeling.config.schema import plain
from surrogate_modeling.experiment.recording import CHANGED_TAG_PREFIX

log = logging.getLogger(__name__)
RUNS = PROJECT_ROOT / "hydra_experiment"
CHANGEABLE_KEYS = (
    "epochs", "max_minutes", "patience", "device", "devices", "launched_by", "workers", "num_figures", "progress_bar",
)  # fmt: skip
# Settings whose change continues a completed fit.
REOPENING_KEYS = {"epochs", "max_minutes", "patience"}
# File in a run's folder with the number of its Slurm job.
SLURM_JOB_FILE = Path(".hydra") / "slurm_job"


def reopen(config: Config, folder: Path, overrides: Sequence[str]) -> tuple[Path, Config, dict[str, str]]:
    """Resume a stopped run; the folder that Hydra has just made for this command is removed.

    Args:
        config: as composed for this command; ``config.resume`` names the run.
        folder: made for this command.
        overrides: of the command line; only those of :data:`CHANGEABLE_KEYS` are allowed.

    Returns:
        The folder of the run, its configuration, and tags that say what changed.

    Raises:
        UserError: no such run, or an override that cannot change in a resumed run.
    """
    from surrogate_modeling.tracking.journal import find_run

    given = [override.split("=", 1)[0].lstrip("+~") for override in overrides]
    fixed = [key for key in given if key != "resume" and key.removeprefix("settings.") not in CHANGEABLE_KEYS]
    if fixed:
        raise UserError(
            f"resume={config.resume}: {', '.join(fixed)} cannot change in a run that goes on; these can: "
            f"{', '.join(f'settings.{key}' for key in CHANGEABLE_KEYS)}. For anything else start a new run"
        )
    found = find_run(str(config.resume), RUNS)
    if found.resolve() != folder.resolve():
        shutil.rmtree(folder, ignore_errors=True)
        # From here on the log goes to the resumed run.
        handler = logging.FileHandler(found / "train.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        logging.getLogger().addHandler(handler)
    early_end.take_back(found)
    saved, changed = reload_config(found), {}
    for key in CHANGEABLE_KEYS:
        before, now = getattr(saved.settings, key), getattr(config.settings, key)
        if f"settings.{key}" in given and now != before:
            changed[key] = now
            log.info("settings.%s is %s from here on; it was %s", key, plain(now), plain(before))
    saved = replace(saved, settings=replace(saved.settings, **changed))
    save_config(saved, found)
    if REOPENING_KEYS & set(changed):
        from surrogate_modeling.training.checkpoints import FIT_RESULT_FILE

        for path in (found / "checkpoints").rglob(FIT_RESULT_FILE):
            path.unlink()
    return found, saved, {f"{CHANGED_TAG_PREFIX}settings.{key}": str(plain(value)) for key, value in changed.items()}


def requeued_run(folder: Path) -> Path | None:
    """Find the run that a requeued Slurm job had begun before it was stopped; None if there is none.

    Args:
        folder: of this command, which a fixed ``hydra.run.dir`` makes the same again.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if not job or os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
        return None
    from surrogate_modeling.tracking.journal import JOURNAL

    begun = [path.parent.parent for path in RUNS.rglob(str(SLURM_JOB_FILE)) if path.read_text() == job]
    for run in (folder, *sorted(begun, key=lambda run: run.stat().st_mtime, reverse=True)):
        if (run / JOURNAL).exists():
            log.info("job %s was requeued: its run goes on, %s", job, run)
            return run
    return None


def note_slurm_job(folder: Path) -> None:
    """Write the number of this run's Slurm job to its folder, for :func:`requeued_run`."""
    if job := os.environ.get("SLURM_JOB_ID"):
        (folder / SLURM_JOB_FILE).parent.mkdir(exist_ok=True)
        (folder / SLURM_JOB_FILE).write_text(job)
