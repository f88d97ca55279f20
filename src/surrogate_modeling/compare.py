"""Train every network with every recipe on one dataset, and compare them with the baselines in one table.

    pdm run compare dataset=csv dataset.path=<folder> dataset.controls=2 dataset.split=last
    pdm run compare models=[ssm,dot] recipes=[stable] seeds=[0,1,2] minutes=10

The same command continues a comparison that was stopped. Heavy imports happen after the cases and
every pair's configuration are checked.
"""

from __future__ import annotations

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.common.cluster import refuse_several_processes
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.comparison.output import choose_output, find_document
from surrogate_modeling.comparison.pairs import compose_pairs, passed_on
from surrogate_modeling.config.composition import register_schemas, to_comparison
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.tracking.store import check_store

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="compare")
def main(composed: DictConfig) -> None:
    """Train the pairs that are not trained yet, and write the table."""
    with refusals():
        refuse_several_processes()
        config = to_comparison(composed)
        check_store()
        typed = [str(override) for override in HydraConfig.get().overrides.task]
        pairs = compose_pairs(config, passed_on(typed))
        document, output = find_document(config), choose_output(config)
        from surrogate_modeling.common.console import logged
        from surrogate_modeling.experiment.dataset import load_cases_once, require_gpu

        for pair in pairs:
            require_gpu(pair.config.settings)
        with logged(output / "compare.log"):
            load_cases_once(pairs[0].config)
        from surrogate_modeling.comparison.loop import compare

        compare(config, pairs, output, document, typed)


def cli() -> None:
    """Entry point of ``pdm run compare``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
