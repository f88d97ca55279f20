"""Find the cases again that a surrogate was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.adaptation.new_cases import with_truth
from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.fingerprint import file_fingerprint
from surrogate_modeling.cases.folder import list_case_files
from surrogate_modeling.cases.stretches import STRETCH
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.surrogate.lineage import PARTS, TRAINED, LineageStep
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OldCases:
    """Cases of the trainings and adaptations before, by what they were for; empty where they are gone."""

    training: list[Case] = field(default_factory=list)
    validation: list[Case] = field(default_factory=list)
    test: list[Case] = field(default_factory=list)

    @property
    def are_there(self) -> bool:
        """Whether any were found."""
        return bool(self.training)


def read_old(surrogate: Surrogate, old: str | None) -> OldCases:
    """Read the old cases where they are what they were; logs which are gone.

    Args:
        surrogate: with its lineage.
        old: folder of the last training's cases where they were moved.

    Raises:
        UserError: the folder that was given holds other cases.
    """
    found = OldCases()
    for number, step in enumerate(steps_since_training(surrogate.lineage)):
        moved = old if step.what == TRAINED else None
        try:
            parts = _parts_of(step, surrogate, moved)
        except UserError as error:
            if moved is not None:
                raise
            log.warning("old cases are not used: %s", str(error).splitlines()[0])
            continue
        for part in PARTS:
            # Old and new cases may have the same names.
            getattr(found, part).extend(replace(case, name=f"{case.name} (old {number})") for case in parts[part])
    if not surrogate.lineage:
        log.warning("old cases are not used: the surrogate's file does not say which they were")
    return found


def steps_since_training(lineage: Iterable[LineageStep]) -> list[LineageStep]:
    """The last training and the adaptations since."""
    steps = list[LineageStep]()
    for step in lineage:
        steps = [step] if step.what == TRAINED else [*steps, step]
    return steps


def _parts_of(step: LineageStep, surrogate: Surrogate, moved: str | None) -> dict[str, list[Case]]:
    """Cases of one step by part.

    Raises:
        UserError: they are not there, or others are.
    """
    used, demands = files_of(step, moved), demands_of(surrogate.description, None)
    folder = str(used[0].parent)
    records = {case.name: case for case in with_truth(used, demands, surrogate.description, folder, None)}
    return {part: [_case(records, *named) for named in step.parts[part].items()] for part in PARTS}


def files_of(step: LineageStep, moved: str | None = None) -> list[Path]:
    """Files of the cases of one training or adaptation.

    Args:
        step: of a lineage.
        moved: folder where the cases are now; None for where they were.

    Raises:
        UserError: they are not there, or others are.
    """
    key = "old" if moved else "cases of the training"
    folder = expanded(moved or step.folder, key)
    files = list_case_files(folder, step.pattern, key)[: step.files]
    if file_fingerprint(files) != step.fingerprint:
        raise UserError(
            f"{key}={folder}: these are not the {step.files} cases of the training (their fingerprint was "
            f"{step.fingerprint}); give their folder as old=<folder>, or leave them out"
        )
    wanted = {STRETCH.sub("", name) for part in PARTS for name in step.parts[part]}
    return [file for file in files if file.stem in wanted]


def _case(records: Mapping[str, Case], name: str, unit: str | None) -> Case:
    """A case of a name, or the stretch of a record that the name tells: ``case0001 (0 to 300 s)``.

    Raises:
        UserError: there is none.
    """
    if name in records:
        return replace(records[name], unit=unit)
    stretch = STRETCH.search(name)
    record = records.get(STRETCH.sub("", name))
    if stretch is None or record is None:
        raise UserError(f"{name!r}: there is no such case any more")
    first, last = (float(word) for word in stretch.group().strip(" ()").removesuffix(" s").split(" to "))
    # The name has ten digits of each time.
    begin, end = (int(np.abs(record.time - edge).argmin()) for edge in (first, last))
    rows = slice(begin, end + 1)
    return replace(record, name=name, time=record.time[rows], values=record.values[rows], unit=unit)
