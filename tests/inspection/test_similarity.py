"""Cases that are alike, and cases that stand out."""

from dataclasses import replace

import numpy as np
from builders import case_set_of, make_case

from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.inspection.similarity import alike_cases, map_of, suspicious_cases


def usual() -> list[Case]:
    return [make_case(f"case{i}", 120, seed=i) for i in range(20)]


def changed(case: Case, name: str, column: int, rows: slice, value: float) -> Case:
    values = case.values.copy()
    values[rows, column] = value
    return replace(case, name=name, values=values)


def test_the_usual_cases_are_neither() -> None:
    case_set = case_set_of(usual())
    assert alike_cases(case_set) == []
    assert suspicious_cases(case_set) == []


def test_cases_that_hardly_differ() -> None:
    cases = usual()
    nearly = replace(cases[3], name="again", values=cases[3].values + np.float32(1e-3))
    longer = make_case("case21", 240, seed=21)
    assert alike_cases(case_set_of([*cases, nearly, longer, changed(cases[5], "third", 2, slice(0), 0)])) == [
        ["case3", "again"],
        ["case5", "third"],
    ]


def test_copies_of_two_cases_among_others_are_two_groups() -> None:
    others = [make_case(f"b{i}", 40, seed=i + 2) for i in range(20)]
    copies = [replace(make_case("a", 40, seed=k), name=f"a{i}-{k}") for i in range(30) for k in range(2)]
    groups = alike_cases(case_set_of([*others, *copies]))
    assert groups == [[f"a{i}-{k}" for i in range(30)] for k in range(2)]


def test_a_jump_and_a_sensor_that_stands_still() -> None:
    cases = usual()
    cases[4] = changed(cases[4], "jump", 3, slice(60, 61), 50.0)
    cases[9] = changed(cases[9], "still", 2, slice(None), 21.5)
    found = {suspect.case: suspect.reason for suspect in suspicious_cases(case_set_of(cases))}
    assert set(found) == {"jump", "still"}
    assert found["jump"].startswith("largest jump of 'p' is ")
    assert "'T' does not move, as it does in most cases" in found["still"]


def test_two_kinds_of_cases_are_no_outliers() -> None:
    """A switch that is on in one case of five."""
    cases = [changed(case, case.name, 1, slice(None), float(i % 5 == 0)) for i, case in enumerate(usual())]
    assert suspicious_cases(case_set_of(cases)) == []


def test_too_few_cases_have_no_usual_one() -> None:
    assert suspicious_cases(case_set_of(usual()[:5])) == []
    assert alike_cases(case_set_of(usual()[:1])) == []


def test_the_map_has_a_place_for_each_case() -> None:
    case_set: CaseSet = case_set_of(usual())
    places = map_of(case_set).places
    assert places.shape == (20, 2)
    assert np.abs(places.mean(axis=0)).max() < 1e-9
    assert places[:, 0].std() > places[:, 1].std()
