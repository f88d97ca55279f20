"""Results of Modelica tools, written by hand from the description of their layout."""

from pathlib import Path

import numpy as np
import pytest
from modelica_files import Variable, write_old_result, write_result

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.matlab import read_mat
from surrogate_modeling.importing.readers.modelica import unit_of

VARIABLES: list[Variable] = [
    ("time", "Time in [s]", 0, 1),
    ("pipe.p", "Pressure of the pipe [Pa|bar]", 2, 2),
    ("pipe.port_a.p", "Thermodynamic pressure in the connection point [Pa|bar]", 2, 2),
    ("pipe.port_a.m_flow", "Mass flow rate [kg/s]", 2, 3),
    ("pipe.port_b.m_flow", "Mass flow rate [kg/s]", 2, -3),
    ("valve.open", "= true, if open [:#(type=Boolean)]", 2, 4),
    ("pipe.length", "Length [m]", 1, 2),
    ("minus.length", "Length [m]", 1, -2),
    ("Rührer.n", "Drehzahl", 1, 3),
]
# An event at 1 s: two rows of one time.
TRAJECTORIES = np.array([[0, 1e5, 0.1, 1], [1, 1.5e5, 0.2, 1], [1, 1.5e5, 0.2, 0], [2, 2e5, 0.3, 0]], dtype=float)
CONSTANTS = np.array([[0, 12.5, 3.0], [2, 12.5, 3.0]])


def read(path: Path) -> RawTable:
    (table,) = read_mat(path, ReadOptions())
    return table


@pytest.mark.parametrize("transposed", [True, False], ids=["binTrans", "binNormal"])
@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
def test_trajectories_aliases_and_parameters(tmp_path: Path, transposed: bool, single: bool) -> None:
    table = read(write_result(tmp_path / "a.mat", VARIABLES, [CONSTANTS, TRAJECTORIES], transposed, single))
    assert table.time == "time"
    assert table.frame["time"].tolist() == [0, 1, 1, 2]
    assert table.frame["pipe.p"].tolist() == [1e5, 1.5e5, 1.5e5, 2e5]
    assert table.frame["pipe.port_a.p"].tolist() == table.frame["pipe.p"].tolist()
    assert table.frame["pipe.port_b.m_flow"].tolist() == (-table.frame["pipe.port_a.m_flow"]).tolist()
    assert table.frame["pipe.port_b.m_flow"][3] == pytest.approx(-0.3)
    assert table.frame["valve.open"].tolist() == [1, 1, 0, 0]
    assert table.units == {
        "time": "s", "pipe.p": "Pa", "pipe.port_a.p": "Pa", "pipe.port_a.m_flow": "kg/s", "pipe.port_b.m_flow": "kg/s",
    }  # fmt: skip
    assert table.parameters == {"pipe.length": 12.5, "minus.length": -12.5, "Rührer.n": 3.0}
    assert table.parameter_units == {"pipe.length": "m", "minus.length": "m"}


def test_a_variable_of_two_rows_that_differ_is_a_straight_line(tmp_path: Path) -> None:
    constants = np.array([[0, 10.0, 3.0], [2, 14.0, 3.0]])
    table = read(write_result(tmp_path / "a.mat", VARIABLES, [constants, TRAJECTORIES]))
    assert table.frame["pipe.length"].tolist() == [10, 12, 12, 14]


def test_the_older_layout(tmp_path: Path) -> None:
    table = read(write_old_result(tmp_path / "a.mat", ["Time", "pipe.p"], TRAJECTORIES[:, :2]))
    assert table.frame["pipe.p"].tolist() == [1e5, 1.5e5, 1.5e5, 2e5]
    assert table.time == "Time"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Temperature [K|degC]", "K"), ("Time in [s]", "s"), ("", ""), ("no unit", ""), ("[1]", "1"),
        ("open [:#(type=Boolean)]", ""), ("[K:#(type=Modelica.X)|degC]", "K"), ("in [degC] [degC;]", "degC"),
    ],
)  # fmt: skip
def test_units_in_descriptions(text: str, unit: str) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ([*VARIABLES, ("x", "", 2, 9)], r"variable 'x' is in column 9 of data_2, which is not there"),
        ([*VARIABLES, ("x", "", 7, 2)], r"variable 'x' is in column 2 of data_7, which is not there"),
        ([*VARIABLES, ("pipe.p", "", 2, 2)], r"several columns have the name 'pipe.p'"),
        ([VARIABLES[0], VARIABLES[6]], r"no variable that changes with time"),
    ],
)
def test_results_that_contradict_themselves(tmp_path: Path, variables: list[Variable], message: str) -> None:
    path = write_result(tmp_path / "a.mat", variables, [CONSTANTS, TRAJECTORIES])
    with pytest.raises(BadFile, match=rf"a\.mat: {message}"):
        read(path)


def test_times_of_its_own_are_refused(tmp_path: Path) -> None:
    slow = np.array([[0, 1.0], [0.5, 2.0], [2, 3.0]])
    path = write_result(tmp_path / "a.mat", [*VARIABLES, ("slow.x", "", 3, 2)], [CONSTANTS, TRAJECTORIES, slow])
    with pytest.raises(BadFile, match=r"variable 'slow.x' has times of its own \(data_3\)"):
        read(path)


def test_a_cut_result(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a.mat", VARIABLES, [CONSTANTS, TRAJECTORIES])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadFile, match=r"a\.mat: (no MATLAB file|no Modelica result|a Modelica result without)"):
        read(path)
