"""Make the page of a run again from what it kept, or put two runs side by side.

    pdm run report run=<run id or folder>
    pdm run report runs=[<run id or folder>,<run id or folder>] output=both.html

Heavy imports happen after the arguments are checked, so that refusals answer at once.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.commands import ReportConfig
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.reporting.request import check_references

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="report")
def main(composed: DictConfig) -> None:
    """Write the page."""
    with refusals():
        config = to_command(composed, ReportConfig)
        check_references(config)
        from surrogate_modeling.reporting.remaking import remake

        remake(config)


def cli() -> None:
    """Entry point of ``pdm run report``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
