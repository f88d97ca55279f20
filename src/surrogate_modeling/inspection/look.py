"""Everything that is found out about a set of cases, and the advice that follows from it.

Shape letters: F columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.excess import Excess
from surrogate_modeling.cases.shape import shaped_like_input, wraps
from surrogate_modeling.inspection.next_row import Told, past_rows, told_by_others
from surrogate_modeling.inspection.relations import Relation, find_relations
from surrogate_modeling.inspection.responses import Response, fit, responses, with_roles
from surrogate_modeling.inspection.roles import MIN_UNTOLD, suggest_controls
from surrogate_modeling.inspection.sampling import Sampling
from surrogate_modeling.inspection.series import Series, averaged
from surrogate_modeling.inspection.similarity import Map, Suspect, alike_cases, map_of, suspicious_cases
from surrogate_modeling.inspection.stuck import Stuck, stuck_columns

# Rows of the usual case in which causes are looked for.
CAUSE_ROWS = 1000


@dataclass(frozen=True)
class Look:
    """What was found out about a set of cases.

    Attributes:
        case_set: all columns, on the chosen step, without cases that reach far beyond the others.
        excesses: those cases.
        sampling: of the files.
        series: what was computed with.
        told: what the others tell of each column.
        relations: columns that others determine.
        controls: positions of the controls, given or suggested.
        given: whether the user named them.
        ignored: positions of columns that say nothing: constants and copies.
        responses: of the predicted columns by position; empty where there are too few rows.
        in_len: suggested past rows.
        alike: groups of cases that hardly differ.
        suspects: cases that stand out.
        stuck: columns that stand still for part of a case.
        map: of the cases.
        groups: table beside the files that tells the group of each case; None where there is none.
    """

    case_set: CaseSet
    excesses: tuple[Excess, ...]
    sampling: Sampling
    series: Series
    told: Told
    relations: list[Relation]
    controls: list[int]
    given: bool
    ignored: list[int]
    responses: dict[int, Response]
    in_len: int
    alike: list[list[str]]
    suspects: list[Suspect]
    stuck: list[Stuck]
    map: Map
    groups: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns (F)."""
        return self.series.names

    @property
    def predicted(self) -> list[int]:
        """Positions of the columns that are predicted."""
        return [i for i in range(len(self.names)) if i not in self.controls and i not in self.ignored]

    def role(self, column: int) -> str:
        """Control, parameter, predicted, or what else a column is."""
        if self.series.constant[column]:
            return "constant"
        if column in self.controls:
            return "parameter" if self.series.parameter[column] else "control"
        return "ignore" if column in self.ignored else "predicted"

    def _shaped(self, column: int) -> bool:
        return shaped_like_input([case[:, column] for case in self.series.cases])

    def notes(self, column: int) -> list[str]:
        """What is to be said about a column beside its numbers."""
        notes = [relation.text(self.names) for relation in self.relations if relation.column == column]
        response = self.responses.get(column)
        if self.given and column in self.controls and self.told.least[column] < MIN_UNTOLD[0]:
            # Inputs in steps and ramps that a controller sets are told too.
            if not self._shaped(column):
                notes.append("the other columns tell it: an output?")
        elif self.given and response is not None and response.unpredicted >= 1 and self._shaped(column):
            notes.append("nothing tells it: a control?")
        if self.sampling.event[column]:
            notes.append("short events between the rows are lost")
        if times := wraps([case[:, column] for case in self.series.cases]):
            notes.append(
                f"jumps {times:,} times from one end of its range to the other, as a wrapped angle does; "
                "put its sine and cosine, or the angle without the jumps, in its place"
            )
        return notes


def look_at(case_set: CaseSet, sampling: Sampling, given: bool) -> Look:
    """Find out what there is to know about the cases.

    Args:
        case_set: on the chosen step; controls first where they are given, else in the order of the files.
        sampling: of their files, columns in the order of ``case_set``.
        given: whether the controls of ``case_set`` are the user's.
    """
    # One case that diverged would make copies of each other of the columns that it decides.
    excesses, far = case_set.excesses, {excess.case for excess in case_set.excesses}
    if far:
        case_set = replace(case_set, cases=[case for case in case_set.cases if case.name not in far], table=None)
    series = Series.of(case_set)
    # Causes show in rows that are not much finer than what happens.
    coarse = averaged(case_set, CAUSE_ROWS)
    rough = series if coarse is case_set else Series.of(coarse)
    relations, told = find_relations(series), told_by_others(rough)
    if given:
        controls = list(range(len(case_set.channels.controls)))
    else:
        controls = suggest_controls(coarse, rough, told, relations)
    ignored = _ignored(series, relations, controls)
    predicted = [i for i in range(len(series.names)) if i not in controls and i not in ignored]
    return Look(
        case_set, excesses, sampling, series, told, relations, controls, given, ignored,
        _responses(case_set, series, controls, predicted), past_rows(series, predicted),
        alike_cases(case_set), suspicious_cases(case_set),
        stuck_columns(case_set.cases, case_set.step), map_of(case_set),
    )  # fmt: skip


def _ignored(series: Series, relations: Sequence[Relation], controls: Sequence[int]) -> list[int]:
    """Constants, and copies of another column, that are not the user's controls."""
    copies = {relation.column for relation in relations if relation.kind in ("copy", "scaled")}
    return [i for i in range(len(series.names)) if i not in controls and (series.constant[i] or i in copies)]


def _responses(
    case_set: CaseSet, series: Series, controls: Sequence[int], predicted: Sequence[int]
) -> dict[int, Response]:
    if not controls or not predicted:
        return {}
    names = series.names
    cases = with_roles(case_set, [names[i] for i in controls], [names[i] for i in predicted])
    fitted = fit(cases)
    if fitted is None:
        return {}
    return dict(zip(predicted, responses(*fitted, case_set.step), strict=True))


def usual_rows(case_set: CaseSet) -> int:
    """Rows of the usual case."""
    return int(np.median([len(case.time) for case in case_set.cases]))
