"""Detect several processes started together by a cluster's launcher, from the environment."""

from __future__ import annotations

import logging
import os

from surrogate_modeling.common.errors import UserError

log = logging.getLogger(__name__)
# Environment variable that holds the number of processes started together -> the launcher that sets it.
PROCESS_COUNT_VARIABLES = {"SLURM_STEP_NUM_TASKS": "srun", "WORLD_SIZE": "torchrun", "OMPI_COMM_WORLD_SIZE": "mpirun"}


def started_together() -> str | None:
    """What started this process together with others, as the environment has it; None if nothing did."""
    for variable, launcher in PROCESS_COUNT_VARIABLES.items():
        count = os.environ.get(variable, "1")
        if count.isdigit() and int(count) > 1:
            return f"{launcher} started {count} processes ({variable}={count})"
    return None


def refuse_several_processes() -> None:
    """Refuse several processes of one launcher, each of which would write the same output.

    Raises:
        UserError: this is one of several processes that a launcher started together.
    """
    if (several := started_together()) is not None:
        raise UserError(f"{several}, and each would do the same; start one process, and use -m for many runs at once")


def note_several_processes(key: str) -> None:
    """Say that processes which a launcher started together train apart, as long as ``key`` does not ask otherwise."""
    if (several := started_together()) is not None:
        log.warning("%s: each trains a network of its own; with %s they train one together", several, key)
