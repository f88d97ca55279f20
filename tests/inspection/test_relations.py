"""Columns that others determine."""

import numpy as np
from builders import case_set_of, plain_case

from surrogate_modeling.inspection.relations import find_relations
from surrogate_modeling.inspection.series import Series


def relations(*columns: np.ndarray) -> list[str]:
    table = np.column_stack(columns).astype(np.float32)
    parts = np.array_split(np.arange(len(table)), 3)
    cases = [plain_case(f"c{i}", part.astype(float), table[part], 1) for i, part in enumerate(parts)]
    series = Series.of(case_set_of(cases))
    return [f"{series.names[relation.column]}: {relation.text(series.names)}" for relation in find_relations(series)]


RNG = np.random.default_rng(0)
U, V, W = RNG.normal(size=(3, 900)) + np.array([[2.0], [0.0], [5.0]])


def test_copies_and_scaled_columns() -> None:
    assert relations(U, V, U) == ["y1: copy of u0"]
    assert relations(U, V, -3 * U + 10) == ["y1: = -3 x u0 +10"]


def test_functions_of_several() -> None:
    assert relations(U, V, W, U - 2 * V + 0.5 * W) == ["y2: linear function of u0, y0, y1"]
    # A hundredth of its own is more than rounding.
    assert relations(U, V, W, U - 2 * V + 0.01 * RNG.normal(size=900)) == []


def test_integrals_however_the_rate_is_held() -> None:
    sums = np.cumsum(U)
    before, between = np.concatenate(([0.0], sums[:-1])), sums - U / 2
    assert relations(U, V, before, V[::-1]) == ["y1: integral over time of u0"]
    assert relations(U, V, between, V[::-1]) == ["y1: integral over time of u0"]
    assert relations(U, V, np.cumsum(W) - 5.0 * np.arange(900)) == []


def test_constants_are_no_relations() -> None:
    assert relations(U, np.full(900, 3.0), np.full(900, 4.0)) == []
