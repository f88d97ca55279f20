"""Train a surrogate on cases and score it in free run.

    pdm run train
    pdm run train dataset=csv dataset.path=<folder> dataset.controls=10 model=don settings.epochs=5
    pdm run train -m 'model=choice(dot, dol)' ...

Heavy imports happen after the configuration is checked, so that ``--help`` and every refusal answer at once.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from surrogate_modeling.common.cluster import note_several_processes
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.common.run_log import warnings_counted
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import register_schemas, save_config, to_config
from surrogate_modeling.config.refusals import refusals, removed_if_refused, run_command
from surrogate_modeling.deployment.loading import check_reference
from surrogate_modeling.experiment.resumption import note_slurm_job, reopen, requeued_run
from surrogate_modeling.search.trial import prepare_trial, read_assignment
from surrogate_modeling.tracking.store import check_store

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
def main(composed: DictConfig) -> float | tuple[float, ...]:
    """Run one experiment; returns the objectives of its search, else the best validation loss."""
    # A trial may run in a process that has not imported this module.
    register_schemas()
    folder = Path(HydraConfig.get().runtime.output_dir)
    with refusals(), warnings_counted(), removed_if_refused(folder):
        config = to_config(composed)
        check_store()
        if not config.settings.on_several_devices:
            note_several_processes("settings.launched_by=torchrun (or srun)")
            return _run(config, folder)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise UserError(
                "settings.devices, settings.launched_by: of many runs each takes one device; leave both out, and "
                "give hydra.sweeper.n_jobs=<number of devices>"
            )
        from surrogate_modeling.training.launched import joined

        with joined(config.settings) as leads:
            if leads:
                return _run(config, folder)
        # The record is the first process's.
        shutil.rmtree(folder, ignore_errors=True)
        return 0.0


def _run(config: Config, folder: Path) -> float | tuple[float, ...]:
    """Run one experiment, new or gone on with."""
    changes = dict[str, str]()
    if config.settings.init_from is not None:
        check_reference(config.settings.init_from, "settings.init_from")
    if config.resume is None and (requeued := requeued_run(folder)) is not None:
        folder, config, changes = reopen(replace(config, resume=str(requeued)), folder, [])
    elif config.resume is not None:
        folder, config, changes = reopen(config, folder, HydraConfig.get().overrides.task)
    else:
        save_config(config, folder)
        note_slurm_job(folder)
    assignment = read_assignment(config)
    assignment = replace(assignment, tags={**assignment.tags, **changes})
    if assignment.trial is not None:
        config = prepare_trial(config)
    from surrogate_modeling.experiment.dataset import load_cases, load_cases_once, require_gpu

    require_gpu(config.settings)
    case_set = load_cases(config) if assignment.trial is None else load_cases_once(config)
    from surrogate_modeling.experiment.run import run_experiment, run_name

    recipe = HydraConfig.get().runtime.choices.get("settings")
    assignment = replace(assignment, name=assignment.name or run_name(config, folder, recipe))
    values = tuple(run_experiment(config, case_set, folder, assignment).objective.values())
    return values[0] if len(values) == 1 else values


def cli() -> None:
    """Entry point of ``pdm run train``."""
    sys.exit(run_command(main, searches=True))


if __name__ == "__main__":
    cli()
