"""Roles of the columns that do not fit the files."""

import pytest
from builders import NAMES, UNITS

from surrogate_modeling.cases.channels import Channels, Roles, assign_roles, shifted_count
from surrogate_modeling.common.errors import UserError


def test_a_name_is_ignored_and_given_a_role() -> None:
    for roles, key in ((Roles(["valve", "p"], None, ["p"]), "controls"), (Roles(1, ["p"], ["p"]), "targets")):
        with pytest.raises(UserError, match=f"dataset.{key}: 'p' named in dataset.ignore too"):
            assign_roles(NAMES[:3], UNITS[:3], roles)


def test_a_count_of_controls_is_of_the_columns_left() -> None:
    left = assign_roles(NAMES[1:], UNITS[1:], Roles(1, None, ["valve"]))
    assert (left.controls, left.predicted) == (("load",), ("T", "p"))


def test_a_count_that_reaches_beyond_an_ignored_column_is_said() -> None:
    # In the files: time, valve, load, T, p.
    assert shifted_count(Roles(2, None, ["valve"]), ["load", "T", "p"], [3, 4, 5]) == (
        "dataset.controls=2 counts the columns that dataset.ignore leaves: the last control is 'T', column 4 of the "
        "files; if it is none, give a smaller count or names"
    )
    assert shifted_count(Roles(1, None, ["load"]), ["valve", "T", "p"], [2, 4, 5]) is None
    assert shifted_count(Roles(["load", "T"], None, ["valve"]), ["load", "T", "p"], [3, 4, 5]) is None
    assert shifted_count(Roles(2), NAMES, [2, 3, 4, 5]) is None


def test_roles_in_one_line() -> None:
    controls, predicted = tuple(f"u{i}" for i in range(10)), ("T", "p", "q")
    channels = Channels(controls, predicted, ("p",), dict.fromkeys((*controls, *predicted), "-"))
    assert channels.roles_text() == (
        "10 controls: u0, u1, u2, u3, u4, u5, u6, u7 and 2 more; 1 target: p; 2 byproducts: T, q"
    )
    assert assign_roles(NAMES, UNITS, Roles(2)).roles_text() == "2 controls: valve, load; 2 targets: T, p"


@pytest.mark.parametrize(
    ("controls", "targets", "said"),
    [
        (4, None, "dataset.controls=4: the files have 4 columns after time"),
        (99, None, "dataset.controls=99"),
        (["valve", "x", "y"], None, "dataset.controls: 'x', 'y' not among the columns: valve, load, T, p"),
        (["valve", "valve"], None, "dataset.controls: valve named twice"),
        (list(NAMES), None, "dataset.controls: names every column"),
        (2, ["load"], "dataset.targets: 'load' not among the predicted columns: T, p"),
        (2, ["T", "T"], "dataset.targets: T named twice"),
    ],
)
def test_roles_that_do_not_fit(controls: int | list[str], targets: list[str] | None, said: str) -> None:
    with pytest.raises(UserError) as caught:
        assign_roles(NAMES, UNITS, Roles(controls, targets))
    assert str(caught.value).startswith(said)
