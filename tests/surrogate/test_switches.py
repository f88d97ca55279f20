"""Which controls are switches, and what no training case has of them."""

import numpy as np
import pytest
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.surrogate.switches import Switches

NAMES = ("gear=P", "fan", "gear=R", "pedal", "gear=D", "valve", "mix=a", "mix=b", "lone=x")
CHANNELS = Channels(NAMES, ("T",), ("T",), dict.fromkeys((*NAMES, "T"), "-"))
# gear: one of three; fan: 0 or 1; valve: 0 or 1 but for one row; mix: never sums to 1; lone: one column, always 0.
ROWS = [
    [1, 0, 0, 0.0, 0, 0.0, 1, 1, 0],
    [0, 1, 1, 0.4, 0, 1.0, 0, 1, 0],
    [0, 1, 1, 1.0, 0, 0.5, 0, 0, 0],
]


def case(rows: list[list[float]], name: str = "c") -> Case:
    values = np.column_stack((rows, np.zeros(len(rows)))).astype(np.float32)
    return Case(name, np.arange(float(len(rows))), values, CHANNELS)


@pytest.fixture
def switches() -> Switches:
    made = Switches(len(NAMES))
    # No case by itself has both values of the fan.
    made.fit([case(ROWS[:1]), case(ROWS[1:])])
    return made


def test_switches_are_found_by_names_and_values(switches: Switches) -> None:
    assert [NAMES[i] for i in switches.on_off.nonzero()[:, 0]] == ["gear=P", "fan", "gear=R", "mix=a", "mix=b"]
    # A mode that no training row has belongs to its column all the same.
    assert switches.modes == [[0, 2, 4]]
    assert switches.places == [0, 1, 2, 4, 6, 7]


def test_what_more_training_cases_have_is_no_switch_any_more(switches: Switches) -> None:
    switches.extend([case([[1, 0.5, 0, 0, 0, 0, 0, 0, 0]])])
    assert switches.modes == [[0, 2, 4]]
    assert not switches.on_off[1]
    switches.extend([case([[1, 0, 1, 0, 0, 0, 0, 0, 0]])])
    assert switches.modes == []


def test_states_that_no_training_case_has_are_counted(switches: Switches) -> None:
    assert switches.impossible(case(ROWS)) == []
    rows: list[list[float]] = [
        [1, 0.5, 0, 0.2, 0, 0.3, 0, 0, 0],
        [1, 0.9, 1, 0.2, 0, 0.3, 0, 0, 0],
        [0, 1.0, 0, 0.2, 0, 0.3, 0, 0, 0],
        [0.5, 1, 0.5, 0.2, 0, 0.3, 0, 0, 0],
    ]
    assert switches.impossible(case(rows)) == [
        "the modes of 'gear' (gear=P, gear=R, gear=D) do not sum to 1 in 2 of 4 rows",
        "'gear=P', which is 0 or 1 in training, lies between in 1 of 4 rows",
        "'fan', which is 0 or 1 in training, lies between in 2 of 4 rows",
        "'gear=R', which is 0 or 1 in training, lies between in 1 of 4 rows",
    ]


def test_switches_are_saved(switches: Switches) -> None:
    loaded = Switches(len(NAMES))
    loaded.load_state_dict(switches.state_dict())
    assert loaded.modes == [[0, 2, 4]]
    assert torch.equal(loaded.on_off, switches.on_off)
