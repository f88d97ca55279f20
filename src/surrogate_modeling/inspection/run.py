"""One look, top to bottom: files -> time step -> cases on it -> what they hold -> text, table and picture.

Heavy imports happen after the cases are read, so that refusals answer soon.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.case_file import CaseFileError, RawCase
from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import Reading, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.groups import imported_groups
from surrogate_modeling.cases.parsing import parse_file
from surrogate_modeling.cases.problems import file_refusal, import_hint
from surrogate_modeling.cases.sampling import usual_step
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.commands import LookConfig
from surrogate_modeling.inspection.sampling import Sampling, find_step
from surrogate_modeling.inspection.series import GIVEN_ROWS

log = logging.getLogger(__name__)


def run(config: LookConfig, given: bool, files: Sequence[Path], output: Path, typed: Sequence[str]) -> None:
    """Look at the cases of a folder.

    Args:
        config: of the command.
        given: whether ``dataset.controls`` was given.
        files: the cases.
        output: folder for ``look.csv`` and ``look.png``.
        typed: arguments of the command, which the suggested command repeats.

    Raises:
        UserError: something is wrong in the files; the message lists every problem found.
    """
    dataset = config.dataset
    ignore = frozenset(dataset.ignore or ())

    def parse(file: Path) -> RawCase:
        """Read one file at its full rate."""
        return parse_file(file, file.read_bytes(), ignored=ignore.__contains__)

    def read(step: float) -> CaseSet:
        """Read all cases as a training does, which names every problem of every file."""
        return read_cases(
            Path(dataset.path),
            Roles(dataset.controls, dataset.targets if given else None, dataset.ignore or ()),
            Grid(step, dataset.max_gap),
            GIVEN_ROWS + 1,
            Reading(dataset.pattern, None, config.workers, config.progress_bar),
        )

    spread = np.unique(np.linspace(0, len(files) - 1, min(len(files), config.files)).round().astype(int))
    chosen = [files[i] for i in spread]
    try:
        sampling = find_step(chosen, parse, config.step, config.workers, config.progress_bar)
    except CaseFileError as error:
        if error.readable is not None:
            read(config.step or usual_step(error.readable.time))
        raise file_refusal(dataset.path, error.problems, hint=import_hint(Path(dataset.path))) from None
    case_set = read(sampling.step)
    log.info("%s on a step of %g s; computing", counted(len(case_set.cases), "case"), sampling.step)
    from surrogate_modeling.inspection.advice import advice
    from surrogate_modeling.inspection.look import look_at
    from surrogate_modeling.inspection.picture import draw
    from surrogate_modeling.inspection.tables import csv_of, text_of

    look = look_at(case_set, _ordered(sampling, parse(files[0]).names, case_set), given)
    look = replace(look, groups=imported_groups(Path(dataset.path), [case.name for case in case_set.cases]))
    write_atomic(output / "look.csv", csv_of(look).encode(), durable=False)
    write_atomic(output / "look.png", draw(look), durable=False)
    print(f"\n{text_of(look)}\n\n{advice(look, typed)}\n\n{output / 'look.csv'}, look.png")


def _ordered(sampling: Sampling, names: Sequence[str], case_set: CaseSet) -> Sampling:
    """Columns in the order of the cases, in which controls come first."""
    order = [names.index(name) for name in (*case_set.channels.controls, *case_set.channels.predicted)]
    return replace(
        sampling, lost=sampling.lost[order], longest=sampling.longest[order], event=sampling.event[order]
    )  # fmt: skip
