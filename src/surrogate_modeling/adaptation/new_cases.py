"""Read the new cases of an adaptation, and keep some of them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.fingerprint import file_fingerprint
from surrogate_modeling.cases.groups import read_groups
from surrogate_modeling.cases.problems import Problem, file_refusal
from surrogate_modeling.cases.schedules import Demands, is_pattern, read_chunks, schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.adapt_keys import AdaptConfig
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.surrogate.description import Description

# To adapt to: each is left out once, and predicted by what the others gave.
LEAST_CASES = 2


@dataclass(frozen=True)
class NewCases:
    """New cases with all their columns.

    Attributes:
        given: to adapt to.
        kept_out: that nothing is fitted to.
        folder: where they are, absolute.
        pattern: of their files' names.
        files: how many there are.
        fingerprint: of their content.
    """

    given: list[Case]
    kept_out: list[Case]
    folder: str
    pattern: str
    files: int
    fingerprint: str


def read_new(description: Description, config: AdaptConfig) -> NewCases:
    """Read the new cases on the time grid and in the units of a surrogate.

    Raises:
        UserError: files that cannot be used, too few of them, or cases without a unit in ``groups``.
    """
    place = expanded(config.cases, "cases")
    files = schedule_files(config.cases)
    demands = demands_of(description, config.max_gap, config.parameters)
    cases = with_truth(files, demands, description, config.cases, config.workers)
    if config.groups is not None:
        unit_of = read_groups(config.groups, [case.name for case in cases], "groups")
    else:
        unit_of = dict.fromkeys((case.name for case in cases), config.unit or files[0].absolute().parent.name)
    cases = [replace(case, unit=unit_of[case.name]) for case in cases]
    given, kept_out = _kept_out(cases, config)
    pattern = place.name if is_pattern(place) or place.is_file() else "*.csv"
    return NewCases(
        given, kept_out, str(files[0].absolute().parent), pattern, len(files), file_fingerprint(files)
    )  # fmt: skip


def with_truth(
    files: Sequence[Path], demands: Demands, description: Description, place: str, workers: int | None
) -> list[Case]:
    """Read cases that hold every predicted column in every row.

    Args:
        files: to read.
        demands: of the surrogate.
        description: of the surrogate.
        place: that the user gave, for the messages.
        workers: threads; None for all cores.

    Raises:
        UserError: it lists what is wrong in which file.
    """
    cases, problems = list[Case](), list[Problem]()
    least, path_of = description.in_len + description.out_len, {file.stem: file for file in files}
    for schedules, wrong in read_chunks(files, demands, workers):
        problems += wrong
        for schedule in schedules:
            case = schedule.case
            if not schedule.has_truth:
                text = "a predicted column is missing or has empty fields: to adapt, every row must have all columns"
                problems.append(Problem(path_of[case.name], text))
            elif len(case.time) < least:
                text = f"{len(case.time)} rows on the surrogate's step; a window needs {least}"
                problems.append(Problem(path_of[case.name], text))
            cases.append(case)
    if problems:
        raise file_refusal(place, problems)
    return cases


def _kept_out(cases: Sequence[Case], config: AdaptConfig) -> tuple[list[Case], list[Case]]:
    """Cases to adapt to, and those that are kept out, drawn by the seed; each in the order of the files."""
    size = config.kept_out
    count = int(size) if isinstance(size, int) else max(1, round(size * len(cases)))
    if len(cases) - count < LEAST_CASES:
        raise UserError(
            f"cases={config.cases}: {counted(len(cases), 'case')}, of which kept_out={size} keeps {count} out; at "
            f"least {LEAST_CASES} must be left to adapt to (each is left out once, to see what helps). A long record "
            "can be cut in several files"
        )
    drawn = set(np.random.default_rng(config.seed).permutation(len(cases))[:count].tolist())
    given, kept_out = ([case for i, case in enumerate(cases) if (i in drawn) is wanted] for wanted in (False, True))
    return given, kept_out
