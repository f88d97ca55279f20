"""Make the missing cases of the configuration's ``dataset`` group."""

from __future__ import annotations

import os
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import GeneratedConfig, RefrigerantConfig
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.folder import GenerationResult, generate_cases
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.simulator import PlanError, Simulator


def make_missing(dataset: GeneratedConfig, limit: int | None = None, again: bool = False) -> GenerationResult:
    """Simulate the cases that are missing in the dataset's folder.

    Args:
        dataset: as configured.
        limit: make this many at most; None for all.
        again: try those that failed before, too.

    Raises:
        UserError: the plan is impossible, the folder holds other cases, or all cases failed.
    """
    try:
        simulator = choose_simulator(dataset)
        count = dataset.cases if limit is None else min(limit, dataset.cases)
        running = Running(dataset.workers or os.cpu_count() or 1)
        result = generate_cases(Path(dataset.path).expanduser(), simulator, count, running, again)
    except PlanError as error:
        raise UserError(f"dataset: {error}") from None
    # A home folder that does not exist ('~nobody') raises RuntimeError.
    except (OSError, RuntimeError) as error:
        raise UserError(f"dataset.path={dataset.path}: {getattr(error, 'strerror', None) or error}") from None
    return result


def choose_simulator(dataset: GeneratedConfig) -> Simulator:
    """The simulator of a dataset.

    Raises:
        PlanError: the plan is impossible.
    """
    if isinstance(dataset, RefrigerantConfig):
        return Circuit(
            dataset.duration, dataset.output_step, dataset.refrigerant.value, dict(dataset.families), dataset.seed
        )
    raise UserError(f"dataset={dataset.name}: no simulator makes these cases")
