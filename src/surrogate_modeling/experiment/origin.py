"""What a trained surrogate keeps of its training: the cases, and the surrogate that it began with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surrogate_modeling.cases.case import Case
from surrogate_modeling.experiment.fitting import Experiment
from surrogate_modeling.surrogate.lineage import TRAINED, LineageStep, weights_digest


def note_origin(experiment: Experiment, seconds: float) -> None:
    """Keep the configuration, the cases and the seconds of the training in the surrogate."""
    surrogate, dataset, split = experiment.surrogate, experiment.config.dataset, experiment.split
    step = LineageStep(
        TRAINED,
        str(Path(dataset.path).expanduser().absolute()),
        dataset.pattern,
        experiment.files,
        experiment.tags["dataset_fingerprint"],
        {"training": names(split.training), "validation": names(split.validation), "test": names(split.test)},
        tuple(dataset.ignore or ()),
        seconds,
    )
    before: tuple[LineageStep, ...] = ()
    if (warm := experiment.warm) is not None:
        before = warm.parent.lineage
        digest = weights_digest(warm.parent.state_dict())
        step = replace(step, parent=warm.name, parent_digest=digest, changed=("trained from its weights",))
    surrogate.lineage, surrogate.config = (*before, step), experiment.config.flat()


def names(cases: Sequence[Case]) -> dict[str, str | None]:
    """Name and unit of each case."""
    return {case.name: case.unit for case in cases}
