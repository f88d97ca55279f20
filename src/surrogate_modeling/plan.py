"""Propose which cases to simulate next; with a dataset that is simulated, do it, train, and go on to a goal.

    pdm run plan surrogate=<lit_model.pth> cases=10 output=<folder>
    pdm run plan surrogate=... output=<folder> dataset=refrigerant rounds=5 until=0.03

Heavy imports happen after the paths are checked, so that refusals answer at once.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.common.cluster import refuse_several_processes
from surrogate_modeling.common.output_folder import output_folder
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_plan
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate
from surrogate_modeling.tracking.store import check_store

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="plan")
def main(composed: DictConfig) -> None:
    """Propose schedules, or go through the rounds."""
    with refusals():
        refuse_several_processes()
        config = to_plan(composed)
        check_reference(config.surrogate)
        if config.rounds:
            check_store()
        # Rounds go on where they were.
        with output_folder(config.output, "plan.csv", overwrite=config.overwrite or config.rounds > 0) as output:
            surrogate = load_surrogate(config.surrogate, config.device)
            from surrogate_modeling.planning.loop import plan_in_rounds
            from surrogate_modeling.planning.run import plan

            (plan_in_rounds if config.rounds else plan)(surrogate, config, output)


def cli() -> None:
    """Entry point of ``pdm run plan``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
