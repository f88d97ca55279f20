"""Check that the parameters of cases, controls that are constant within a case, are."""

from __future__ import annotations

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import lines_and_rest

MOST_LISTED = 10


def require_constant(case_set: CaseSet) -> None:
    """Check that every parameter has one value in each case.

    Raises:
        UserError: one varies; with the cases and the values.
    """
    channels = case_set.channels
    found = []
    for name, place in zip(channels.parameters, channels.parameter_indices, strict=True):
        for case in case_set.cases:
            low, high = case.values[:, place].min(), case.values[:, place].max()
            if low < high:
                column = case.column(place)
                found.append(f"{case.name}: {name!r} goes from {column.min():g} to {column.max():g}")
    if found:
        listed = lines_and_rest(found, MOST_LISTED)
        raise UserError("\n  ".join(("dataset.parameters: must be constant within a case:", *listed)))
