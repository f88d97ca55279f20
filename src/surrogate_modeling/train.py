"""Train a surrogate on cases and score it in free run.

    pdm run python train.py
    pdm run python train.py dataset=csv dataset.path=<folder> dataset.controls=10 model=don settings.epochs=5
    pdm run python train.py -m 'model=choice(dot, dol)' ...

Heavy imports happen after the configuration is checked, so that ``--help`` and every refusal answer at once.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.command_line import REFUSALS, refusals, run_command
from surrogate_modeling.composition import flatten, register_schemas, reload_config, to_config
from surrogate_modeling.config import CONFIG_DIR, PROJECT_ROOT, Config
from surrogate_modeling.run_log import warnings_counted
from surrogate_modeling.search.trial import assignment, prepare_trial

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
def main(composed: DictConfig) -> float | tuple[float, ...]:
    """Run one experiment; returns what a search asks for, else the best validation loss."""
    # A trial may run in a process that has not loaded this file.
    register_schemas()
    folder = Path(HydraConfig.get().runtime.output_dir)
    with refusals(), warnings_counted(), no_trace_of_a_refusal(folder):
        config, flat = to_config(composed), flatten(composed)
        if config.resume is not None:
            folder, (config, flat) = reopen(config.resume, folder)
        asked = assignment(config.settings)
        if asked.trial is not None:
            config = prepare_trial(config)
        from surrogate_modeling.dataset import load_cases, load_cases_once

        case_set = load_cases(config) if asked.trial is None else load_cases_once(config)
        from surrogate_modeling.experiment import run_experiment

        values = tuple(run_experiment(config, case_set, folder, flat, asked).objective.values())
        return values[0] if len(values) == 1 else values


def reopen(wanted: str, folder: Path) -> tuple[Path, tuple[Config, dict[str, Any]]]:
    """The folder and configuration of a stopped run; the folder Hydra has just made for this command goes.

    Raises:
        UserError: no such run.
    """
    from surrogate_modeling.journal import find_run

    found = find_run(wanted, PROJECT_ROOT / "hydra_experiment")
    shutil.rmtree(folder, ignore_errors=True)
    # What is logged from here on belongs to the run that goes on.
    handler = logging.FileHandler(found / "train.log")
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(handler)
    return found, reload_config(found)


@contextmanager
def no_trace_of_a_refusal(folder: Path) -> Iterator[None]:
    """Remove the run's folder when the input was refused before anything was recorded: it holds no result."""
    try:
        yield
    except REFUSALS:
        if not (folder / "tracking.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def cli() -> None:
    """Entry point of ``pdm run train``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
