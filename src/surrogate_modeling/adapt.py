"""Adapt a trained surrogate to new cases: another unit, another range, another fluid.

    pdm run adapt surrogate=<lit_model.pth, run id or models:/ URI> cases=<folder of new cases>
    pdm run adapt surrogate=... cases=... how=unit unit=truck7 output=truck7.pth

Heavy imports happen after the paths are checked, so that refusals answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.cases.schedules import schedule_files
from surrogate_modeling.common.cluster import refuse_several_processes
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR, expanded
from surrogate_modeling.config.adapt_keys import AdaptConfig
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.refusals import refusals, removed_if_refused, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate
from surrogate_modeling.tracking.store import check_store

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="adapt")
def main(composed: DictConfig) -> None:
    """Load the surrogate and adapt it."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with refusals(), removed_if_refused(folder):
        refuse_several_processes()
        config = to_command(composed, AdaptConfig)
        check_reference(config.surrogate)
        check_output(config)
        schedule_files(config.cases)
        check_store()
        surrogate = load_surrogate(config.surrogate, config.device)
        from surrogate_modeling.adaptation.run import adapt

        adapt(surrogate, config, folder)


def check_output(config: AdaptConfig) -> None:
    """Check the file to write.

    Raises:
        UserError: it exists, or its folder does not.
    """
    if config.output is None:
        return
    output = expanded(config.output, "output")
    if not output.absolute().parent.is_dir():
        raise UserError(f"output={output}: there is no folder {output.parent}")
    if output.is_dir() or (output.exists() and not config.overwrite):
        raise UserError(f"output={output}: exists; give another file or overwrite=true")


def cli() -> None:
    """Entry point of ``pdm run adapt``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
