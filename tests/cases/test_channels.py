"""Roles of the columns that do not fit the files."""

import pytest
from builders import NAMES, UNITS

from surrogate_modeling.cases.channels import Roles, assign_roles
from surrogate_modeling.common.errors import UserError


def test_a_name_is_ignored_and_given_a_role() -> None:
    for roles, key in ((Roles(["valve", "p"], None, ["p"]), "controls"), (Roles(1, ["p"], ["p"]), "targets")):
        with pytest.raises(UserError, match=f"dataset.{key}: 'p' named in dataset.ignore too"):
            assign_roles(NAMES[:3], UNITS[:3], roles)


def test_a_count_of_controls_is_of_the_columns_left() -> None:
    left = assign_roles(NAMES[1:], UNITS[1:], Roles(1, None, ["valve"]))
    assert (left.controls, left.predicted) == (("load",), ("T", "p"))


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
