"""Make the missing cases of the configuration's ``dataset`` group."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.common.progress import track
from surrogate_modeling.config.dataset import (
    CommandConfig,
    FmuConfig,
    GeneratedConfig,
    PlannedConfig,
    RefrigerantConfig,
)
from surrogate_modeling.config.part import ALL, Part
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.folder import GenerationResult, generate_cases, missing_cases
from surrogate_modeling.generation.pool import Running, run_workers
from surrogate_modeling.generation.simulator import Outcome, PlanError, Simulator, case_name


def make_missing(
    dataset: GeneratedConfig, limit: int | None = None, again: bool = False, part: Part = ALL
) -> GenerationResult:
    """Simulate the cases that are missing in the dataset's folder.

    Args:
        dataset: as configured.
        limit: make this many at most; None for all.
        again: try those that failed before, too.
        part: of the cases; the others are left to other processes.

    Raises:
        UserError: the plan is impossible, the folder holds other cases, all cases failed, or a program of somebody
            else would be run without leave.
    """
    try:
        folder = expanded(dataset.path, "dataset.path")
        simulator, what = choose_simulator(dataset)
        count = dataset.cases if limit is None else min(limit, dataset.cases)
        running = _allowed(dataset, what, len(missing_cases(folder, part.take(range(1, count + 1)), again)))
        return generate_cases(folder, simulator, count, running, again, part)
    except PlanError as error:
        raise UserError(f"dataset: {error}") from None
    except OSError as error:
        raise UserError(f"dataset.path={dataset.path}: {error.strerror or error}") from None


def make_numbered(dataset: GeneratedConfig, folder: Path, numbers: Sequence[int]) -> list[Outcome]:
    """Simulate the cases of some numbers that are missing in a folder.

    Args:
        dataset: as configured; its own folder is not touched.
        folder: of the cases, exists.
        numbers: of the cases.

    Returns:
        Outcomes of those that failed.

    Raises:
        UserError: the plan is impossible, or a program of somebody else would be run without leave.
    """
    missing = [number for number in numbers if not (folder / f"{case_name(number)}.csv").exists()]
    if not missing:
        return []
    try:
        simulator, what = choose_simulator(dataset)
        running = _allowed(dataset, what, len(missing))
        outcomes = track(run_workers(folder, simulator, missing, running), len(missing), "simulating cases")
        return [outcome for outcome in outcomes if outcome.reason]
    except PlanError as error:
        raise UserError(f"dataset: {error}") from None


def _allowed(dataset: GeneratedConfig, what: str, count: int) -> Running:
    """How cases are run.

    Raises:
        UserError: a program would be run without leave.
    """
    workers = dataset.workers or cores()
    if not isinstance(dataset, PlannedConfig):
        return Running(workers)
    if count and not dataset.trust:
        raise UserError(
            f"{what} is a program: it would be run {count} times, in {workers} processes, with your rights. Add "
            "dataset.trust=True if you trust where it comes from"
        )
    return Running(workers, dataset.case_timeout, dataset.attempts)


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
