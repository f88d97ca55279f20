"""Find the schedule that serves an objective best and keeps bounds, by gradients through a surrogate.

    pdm run optimise surrogate=<lit_model.pth> case=<CSV> 'objective={Comp_kW: minimise mean}' \\
        'bounds={Comp_OutT: [null, 90]}' fixed=[AmbT]

Heavy imports happen after the paths are checked, so that refusals answer at once.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import output_folder
from surrogate_modeling.common.paths import CONFIG_DIR, expanded
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="optimise")
def main(composed: DictConfig) -> None:
    """Search, and write what was found."""
    with refusals():
        config = to_command(composed, OptimiseConfig)
        check_reference(config.surrogate)
        file = expanded(config.case, "case")
        if not file.is_file():
            raise UserError(f"case={config.case}: no such file; give one schedule, a CSV in the case format")
        with output_folder(config.output, "schedule.csv", overwrite=config.overwrite) as output:
            surrogate = load_surrogate(config.surrogate, config.device)
            from surrogate_modeling.deployment.optimum.run import optimise

            optimise(surrogate, file, output, config)


def cli() -> None:
    """Entry point of ``pdm run optimise``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
