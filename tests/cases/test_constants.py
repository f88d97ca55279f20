"""Parameters are checked to be constant within each case."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import plain_case

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.channels import Channels, Roles, assign_roles
from surrogate_modeling.cases.constants import require_constant
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.surrogate.description import Description


def test_roles_name_parameters_among_the_controls() -> None:
    roles = Roles(["u", "d"], None, (), ["d"])
    assert assign_roles(["u", "d", "y"], ["-", "mm", "K"], roles).parameters == ("d",)
    with pytest.raises(UserError, match="dataset.parameters: 'y' not among the controls: u, d"):
        assign_roles(["u", "d", "y"], ["-", "mm", "K"], replace(roles, parameters=["y"]))


def test_a_parameter_that_varies_is_named_with_its_case() -> None:
    cases = [
        plain_case(name, np.arange(3.0), np.array([[1, 5, 0], [2, last, 0], [3, 5, 0.0]]), 2)
        for name, last in (("a", 5), ("b", 6))
    ]
    second = cases[0].channels.controls[1]
    channels = replace(cases[0].channels, parameters=(second,))
    case_set = CaseSet([replace(case, channels=channels) for case in cases], channels, 1.0, "")
    with pytest.raises(
        UserError, match=f"dataset.parameters: must be constant within a case:\n  b: '{second}' goes from 5 to 6"
    ):
        require_constant(case_set)
    require_constant(replace(case_set, cases=case_set.cases[:1]))
    require_constant(replace(case_set, channels=replace(channels, parameters=())))


def test_a_table_of_cases_gives_the_parameters_of_schedules(tmp_path: Path) -> None:
    channels = Channels(("u", "d"), ("y",), ("y",), {"u": "-", "d": "mm", "y": "K"}, parameters=("d",))
    description = Description(DonConfig("don"), channels, 1, 1, 1.0)
    path = tmp_path / "cases.csv"
    path.write_text("case,group,rows,start,d [m]\na,,3,,0.005\nb,,3,1,0.006\n")
    assert demands_of(description, 5.0, str(path)).parameters == {"a": {"d": 5.0}, "b": {"d": 6.0}}
    path.write_text("case,e\na,1\nb,2\n")
    with pytest.raises(UserError, match="no column of numbers named 'd' behind 'case'"):
        demands_of(description, 5.0, str(path))
    with pytest.raises(UserError, match="this surrogate has no parameters; dataset.parameters names them for training"):
        demands_of(replace(description, channels=replace(channels, parameters=())), 5.0, str(path))
