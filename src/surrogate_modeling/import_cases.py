"""Import files of any tool as clean cases.

    pdm run import source=<file, folder or pattern> output=<folder>

Python cannot import a module named ``import``, hence the name of this one.
"""

from __future__ import annotations

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_import
from surrogate_modeling.config.refusals import refusals, run_command

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="import")
def main(composed: DictConfig) -> None:
    """Import every file."""
    with refusals():
        config = to_import(composed, HydraConfig.get().overrides.task)
        from surrogate_modeling.importing.run import import_files

        if problems := import_files(config):
            raise UserError(
                f"{len(problems)} file{'s were' if len(problems) > 1 else ' was'} left out; see the list above"
            )


def cli() -> None:
    """Entry point of ``pdm run import``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
