"""Make the missing cases of the configuration's ``dataset`` group."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import (
    CommandConfig,
    FmuConfig,
    GeneratedConfig,
    PlannedConfig,
    RefrigerantConfig,
)
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.folder import GenerationResult, generate_cases, missing_cases
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.simulator import PlanError, Simulator


def make_missing(dataset: GeneratedConfig, limit: int | None = None, again: bool = False) -> GenerationResult:
    """Simulate the cases that are missing in the dataset's folder.

    Args:
        dataset: as configured.
        limit: make this many at most; None for all.
        again: try those that failed before, too.

    Raises:
        UserError: the plan is impossible, the folder holds other cases, all cases failed, or a program of somebody
            else would be run without leave.
    """
    try:
        folder = Path(dataset.path).expanduser()
        simulator, what = choose_simulator(dataset)
        count = dataset.cases if limit is None else min(limit, dataset.cases)
        running = Running(dataset.workers or os.cpu_count() or 1)
        if isinstance(dataset, PlannedConfig):
            running = Running(running.workers, dataset.case_timeout, dataset.attempts)
            missing = missing_cases(folder, count, again)
            if missing and not dataset.trust:
                raise UserError(
                    f"{what} is a program: it would be run {len(missing)} times, in {running.workers} processes, with "
                    "your rights. Add dataset.trust=True if you trust where it comes from"
                )
        return generate_cases(folder, simulator, count, running, again)
    except PlanError as error:
        raise UserError(f"dataset: {error}") from None
    # A home folder that does not exist ('~nobody') raises RuntimeError.
    except (OSError, RuntimeError) as error:
        raise UserError(f"dataset.path={dataset.path}: {getattr(error, 'strerror', None) or error}") from None


def choose_simulator(dataset: GeneratedConfig) -> tuple[Simulator, str]:
    """The simulator of a dataset, and what it is, in words.

    Raises:
        UserError: its file cannot be read or run here.
        PlanError: the plan is impossible.
    """
    if isinstance(dataset, FmuConfig):
        from surrogate_modeling.generation.fmu import plan_fmu

        fmu, model = plan_fmu(dataset)
        return fmu, str(model)
    if isinstance(dataset, CommandConfig):
        from surrogate_modeling.generation.command import plan_command

        command = plan_command(dataset)
        return command, f"`{shlex.join(command.words)}`"
    if isinstance(dataset, RefrigerantConfig):
        families = dict(dataset.families)
        circuit = Circuit(dataset.duration, dataset.output_step, dataset.refrigerant.value, families, dataset.seed)
        return circuit, "the embedded simulator"
    raise UserError(f"dataset={dataset.name}: no simulator makes these cases")
