"""Say which control matters for which target of a surrogate, how much, and how fast.

    pdm run explain surrogate=<lit_model.pth> cases=<folder or file>

Heavy imports happen after the paths are checked, so that refusals answer at once.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.cases.schedules import schedule_files
from surrogate_modeling.common.output_folder import output_folder
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.explain_keys import ExplainConfig
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="explain")
def main(composed: DictConfig) -> None:
    """Look at the cases, and write what was found."""
    with refusals():
        config = to_command(composed, ExplainConfig)
        check_reference(config.surrogate)
        files = schedule_files(config.cases)
        with output_folder(config.output, "gains.csv", overwrite=config.overwrite) as output:
            surrogate = load_surrogate(config.surrogate, config.device)
            from surrogate_modeling.deployment.influence.run import explain

            explain(surrogate, files, output, config)


def cli() -> None:
    """Entry point of ``pdm run explain``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
