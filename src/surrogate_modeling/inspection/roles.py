"""Which columns are probably controls: those that the others do not tell.

A control's next row is not told by the past of the others (:mod:`surrogate_modeling.inspection.next_row`), nor does the
linear baseline predict it from the controls before it. Columns that are constant within each case are parameters, and
controls too. Where two columns tell each other, the first is taken for the control: controls come first in the case
format.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.shape import shaped_like_input
from surrogate_modeling.inspection.next_row import Told
from surrogate_modeling.inspection.relations import Relation
from surrogate_modeling.inspection.responses import fit, responses, with_roles
from surrogate_modeling.inspection.series import Series

# Error with the others' past over the error without, from which on they tell nothing: of a column that moves in steps
# or ramps, as inputs do, and of any other.
MIN_UNTOLD = (0.7, 0.85)
# Error of the baseline over that of the mean, from which on it does not predict a column.
MIN_UNPREDICTED = 0.75
# Of a column with nothing but controls before it; one that moves in steps or ramps is a control without the second.
LEADING_UNTOLD, LEADING_UNPREDICTED = (0.85, 0.9), 0.4
# Controls come first: once so many columns are predicted, another control must be sure.
SURE_AFTER, SURE_UNTOLD, SURE_UNPREDICTED = 5, (0.95, np.inf), 0.9
# Fits of the baseline, and cases for each.
MAX_FITS, MAX_CASES = 12, 16


def suggest_controls(case_set: CaseSet, series: Series, told: Told, relations: Sequence[Relation]) -> list[int]:
    """Positions of the columns that are probably controls, in the order of the columns.

    Args:
        case_set: with all columns, in the order of the files.
        series: of the same.
        told: what the others tell of each column.
        relations: columns determined by others, which are no controls.
    """
    determined = {relation.column for relation in relations}
    controls: list[int] = []
    fits = 0
    for j in range(len(series.names)):
        if series.constant[j] or j in determined:
            continue
        if series.parameter[j]:
            controls.append(j)
            continue
        shaped = shaped_like_input([case[:, j] for case in series.cases])
        sure = sum(i not in controls and not series.constant[i] for i in range(j)) >= SURE_AFTER
        if not _untold(told, j, shaped, SURE_UNTOLD if sure else MIN_UNTOLD):
            continue
        leading = all(i in controls or series.constant[i] for i in range(j))
        leading = leading and _untold(told, j, shaped, LEADING_UNTOLD)
        if (leading and shaped) or all(series.parameter[i] for i in controls):
            controls.append(j)
            continue
        fits += 1
        limit = SURE_UNPREDICTED if sure else LEADING_UNPREDICTED if leading else MIN_UNPREDICTED
        if (shaped and not sure) if fits > MAX_FITS else _unpredicted(case_set, series, controls, j) >= limit:
            controls.append(j)
    return controls


def _untold(told: Told, column: int, shaped: bool, limits: tuple[float, float]) -> bool:
    """Whether the others tell too little of a column for an output."""
    # Means over several rows would blur steps, which are what an input is known by.
    return bool(told.finest[column] >= limits[0] if shaped else told.least[column] >= limits[1])


def _unpredicted(case_set: CaseSet, series: Series, controls: Sequence[int], column: int) -> float:
    """Error of one column, predicted from some controls, over that of its mean; 1 if there is too little to fit."""
    cases = with_roles(case_set, [series.names[i] for i in controls], [series.names[column]])
    chosen = np.unique(np.linspace(0, len(cases) - 1, min(len(cases), MAX_CASES)).round().astype(int))
    fitted = fit([cases[i] for i in chosen])
    return 1.0 if fitted is None else responses(*fitted, series.step)[0].unpredicted
