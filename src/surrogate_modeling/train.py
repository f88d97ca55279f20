"""Train a surrogate on cases and score it in free run.

    pdm run python train.py
    pdm run python train.py dataset=csv dataset.path=<folder> dataset.controls=10 model=don settings.epochs=5
    pdm run python train.py -m 'model=choice(dot, dol)' ...

Heavy imports happen after the configuration is checked, so that ``--help`` and every refusal answer at once.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.command_line import refusals, run_command
from surrogate_modeling.composition import flatten, register_schemas, to_config
from surrogate_modeling.config import CONFIG_DIR, UserError

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
def main(composed: DictConfig) -> float:
    """Run one experiment; returns the best validation loss, which a search minimises."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with refusals(), no_trace_of_a_refusal(folder):
        config = to_config(composed)
        from surrogate_modeling.dataset import load_cases

        case_set = load_cases(config)
        from surrogate_modeling.experiment import run_experiment

        return run_experiment(config, case_set, folder, flatten(composed))


@contextmanager
def no_trace_of_a_refusal(folder: Path) -> Iterator[None]:
    """Remove the run's folder when the input was refused before anything was recorded: it holds no result."""
    try:
        yield
    except UserError:
        if not (folder / "tracking.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def cli() -> None:
    """Entry point of ``pdm run train``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
