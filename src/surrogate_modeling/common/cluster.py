"""Detect several processes started together by a cluster's launcher, from the environment."""

from __future__ import annotations

import os

from surrogate_modeling.common.errors import UserError

# Environment variable that holds the number of processes started together -> the launcher that sets it.
PROCESS_COUNT_VARIABLES = {"SLURM_STEP_NUM_TASKS": "srun", "WORLD_SIZE": "torchrun", "OMPI_COMM_WORLD_SIZE": "mpirun"}


def refuse_several_processes() -> None:
    """Refuse several processes of one launcher: each would train the same network and write the same record.

    Raises:
        UserError: this is one of several processes that a launcher started together.
    """
    for variable, launcher in PROCESS_COUNT_VARIABLES.items():
        count = os.environ.get(variable, "1")
        if count.isdigit() and int(count) > 1:
            raise UserError(
                f"{launcher} started {count} processes ({variable}={count}), and each would train the same network "
                "anew; start one process, and use -m for many runs at once"
            )
