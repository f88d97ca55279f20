"""Look at cases before training: what they hold, and the command to train on them.

    pdm run look dataset.path=<folder>
    pdm run look dataset.path=<folder> dataset.controls=2 step=0.5

Heavy imports happen after the files are listed, so that refusals answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.cases.folder import list_case_files
from surrogate_modeling.common.output_folder import made_folder
from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT, expanded
from surrogate_modeling.config.commands import LookConfig
from surrogate_modeling.config.composition import register_schemas, to_look
from surrogate_modeling.config.refusals import refusals, run_command

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="look")
def main(composed: DictConfig) -> None:
    """Print what was found, write it to the output folder, and say how to train."""
    with refusals():
        config, given = to_look(composed)
        files = list_case_files(Path(config.dataset.path), config.dataset.pattern)
        output = make_output(config)
        from surrogate_modeling.inspection.run import run

        run(config, given, files, output, [str(word) for word in HydraConfig.get().overrides.task])


def make_output(config: LookConfig) -> Path:
    """The output folder, made.

    Raises:
        UserError: it cannot be made.
    """
    name = expanded(config.dataset.path, "dataset.path").absolute().name
    return made_folder(config.output or PROJECT_ROOT / "hydra_experiment" / "look" / name)


def cli() -> None:
    """Entry point of ``pdm run look``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
