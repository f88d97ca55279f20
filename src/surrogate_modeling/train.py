"""Train a surrogate on a folder of cases and score it in free run.

    pdm run python train.py dataset.path=<folder> dataset.controls=10 model=don settings.epochs=5
    pdm run python train.py -m 'model=choice(dot, dol)' ...

Heavy imports happen after the configuration is checked, so that ``--help`` and every refusal answer at once.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

import hydra
from surrogate_modeling.command_line import refuse, run_command
from surrogate_modeling.composition import flatten, register_schemas, to_config
from surrogate_modeling.config import CONFIG_DIR, UserError

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
def main(composed: DictConfig) -> float:
    """Run one experiment; returns the best validation loss, which a search minimises."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        config = to_config(composed)
        from surrogate_modeling.dataset import load_cases

        case_set = load_cases(config)
        from surrogate_modeling.experiment import run_experiment

        return run_experiment(config, case_set, folder, flatten(composed))
    except UserError as error:
        # Refused before anything was recorded: the folder holds nothing but the configuration.
        if not (folder / "tracking.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        if HydraConfig.get().mode is RunMode.RUN:
            # Hydra would put a line of its own before the message of an exception.
            sys.exit(refuse(str(error)))
        raise


def cli() -> None:
    """Entry point of ``pdm run train``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
