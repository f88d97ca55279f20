"""Make cases with a simulator without training, or check the embedded one.

pdm run generate dataset.cases=60 dataset.duration=3300
pdm run generate check=true
"""

from __future__ import annotations

import logging
import sys

import hydra
from omegaconf import DictConfig

from surrogate_modeling.cases.companions import FAILED_FILE
from surrogate_modeling.common.console import print_text
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR, expanded
from surrogate_modeling.common.wording import counted, lines_and_rest
from surrogate_modeling.config.composition import register_schemas, to_generation
from surrogate_modeling.config.dataset import FmuConfig, GeneratedConfig, Refrigerant, RefrigerantConfig
from surrogate_modeling.config.part import ALL, Part
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.generation.dataset import make_missing
from surrogate_modeling.generation.simulator import case_name

log = logging.getLogger(__name__)
# Failed cases that the message names; the rest is counted.
SHOWN = 5
register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="generate")
def main(composed: DictConfig) -> None:
    """Make the missing cases, or check the simulator with ``check=true``."""
    with refusals():
        config = to_generation(composed)
        dataset = config.dataset
        if config.check:
            check(dataset)
            return
        if config.list:
            print_text(list_plan(dataset))
            return
        part = Part.of(config.part)
        result = make_missing(dataset, again=True, part=part)
        log.info(
            "%s made, %d were there, in %.0f s: %s",
            counted(len(result.written), "case"), len(result.present), result.seconds, dataset.path,
        )  # fmt: skip
        if result.failed:
            failed = [f"{case_name(failure.number)}: {failure.reason}" for failure in result.failed]
            named = "; ".join(lines_and_rest(failed, SHOWN))
            some = result.written or result.present
            others = "others" if part == ALL else f"others of part {config.part}"
            there = f"the {others} are there" if some else f"there are no {others}"
            raise UserError(
                f"{counted(len(result.failed), 'case')} failed, {there}: {named}. {FAILED_FILE} lists them"
                + ("; training goes on without them" if some else "")
            )


def list_plan(dataset: GeneratedConfig) -> str:
    """The variables of an FMU as a plan to edit.

    Raises:
        UserError: it cannot be read, or the dataset has no FMU.
    """
    if not isinstance(dataset, FmuConfig):
        raise UserError(f"list=True: for dataset=fmu only, not for dataset={dataset.name}")
    from surrogate_modeling.generation.fmu_model import read_fmu
    from surrogate_modeling.generation.listing import list_fmu

    return list_fmu(read_fmu(expanded(dataset.fmu, "dataset.fmu")))


def check(dataset: GeneratedConfig) -> None:
    """Print every check of the simulator, over the number and duration of cases of the dataset.

    Raises:
        UserError: a check does not hold, or these are not the embedded simulator's cases.
    """
    if not isinstance(dataset, RefrigerantConfig):
        raise UserError(f"check=true: for dataset=refrigerant only, not for dataset={dataset.name}")
    from surrogate_modeling.refrigerant.checks import run_checks

    both = sorted(Refrigerant, key=lambda fluid: fluid is not dataset.refrigerant)
    report = run_checks(dataset.cases, dataset.duration, dataset.seed, tuple(fluid.value for fluid in both))
    print(report)
    if not report.passed:
        raise UserError("some checks do not hold; see the table")


def cli() -> None:
    """Entry point of ``pdm run generate``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
