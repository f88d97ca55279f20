"""Make refrigerant-circuit cases without training, or check the simulator.

pdm run python simulate.py dataset.cases=60 dataset.duration=3300
pdm run python simulate.py check=true
"""

from __future__ import annotations

import logging
import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.cases.dataset import simulate
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_simulation
from surrogate_modeling.config.dataset import Refrigerant, RefrigerantConfig
from surrogate_modeling.config.refusals import refusals, run_command

log = logging.getLogger(__name__)
register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="simulate")
def main(composed: DictConfig) -> None:
    """Make the missing cases, or check the simulator with ``check=true``."""
    with refusals():
        config = to_simulation(composed)
        dataset = config.dataset
        if config.check:
            check(dataset)
            return
        result = simulate(dataset)
        log.info(
            "%d cases made, %d were there, in %.0f s: %s",
            len(result.written), len(result.present), result.seconds, dataset.path,
        )  # fmt: skip


def check(dataset: RefrigerantConfig) -> None:
    """Print every check of the simulator, over the number and duration of cases of the dataset.

    Raises:
        UserError: a check does not hold.
    """
    from surrogate_modeling.refrigerant.checks import run_checks

    both = sorted(Refrigerant, key=lambda fluid: fluid is not dataset.refrigerant)
    report = run_checks(dataset.cases, dataset.duration, dataset.seed, tuple(fluid.value for fluid in both))
    print(report)
    if not report.passed:
        raise UserError("some checks do not hold; see the table")


def cli() -> None:
    """Entry point of ``pdm run simulate``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
