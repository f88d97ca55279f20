"""End the training of a run from another terminal, and keep what there is.

    pdm run finish
    pdm run finish run=<folder or MLflow id>

The run ends its training after the epoch, and goes on to test, report and save.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.common import early_end
from surrogate_modeling.common.console import print_text
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.commands import FinishConfig
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.experiment.resumption import RUNS
from surrogate_modeling.tracking.journal import find_run, is_locked

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="finish")
def main(composed: DictConfig) -> None:
    """Ask the run to end its training."""
    with refusals():
        config = to_command(composed, FinishConfig)
        folder = find_run(config.run, RUNS, "run")
        if not is_locked(folder):
            raise UserError(
                f"run={config.run}: no process is at work on {folder}; pdm run train resume={folder} goes on with it"
            )
        early_end.ask(folder, "pdm run finish")
        print_text(f"{folder}: {early_end.WHAT_FOLLOWS}; pdm run train says when, and train.log in the folder")


def cli() -> None:
    """Entry point of ``pdm run finish``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
