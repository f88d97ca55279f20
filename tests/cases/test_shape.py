"""Columns that move as inputs do."""

import numpy as np
import pytest

from surrogate_modeling.cases.shape import shaped_like_input, wraps

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("column", "shaped"),
    [
        (np.repeat(RNG.uniform(size=20), 15), True),
        (np.interp(np.arange(300), np.arange(0, 330, 30), RNG.uniform(size=11)), True),
        (RNG.integers(0, 2, 300).astype(float), True),
        (RNG.normal(size=300), False),
        (np.sin(np.arange(300) / 10), False),
        (np.full(300, 2.0), False),
    ],
    ids=["steps", "ramps", "switch", "noise", "sine", "constant"],
)
def test_shapes(column: np.ndarray, shaped: bool) -> None:
    assert shaped_like_input([column[:150], column[150:]]) is shaped


TURNS = np.arange(0, 3600, 7.0)


@pytest.mark.parametrize(
    ("column", "times"),
    [
        # 514 rows of 7 degrees are 3598: nine times over the end.
        (TURNS % 360, 9),
        (-TURNS % 360 - 180, 10),
        (np.rad2deg(np.sin(TURNS / 50)), 0),
        (TURNS, 0),
        (RNG.integers(0, 2, 300).astype(float), 0),
        (RNG.uniform(size=300), 0),
        (np.full(300, 2.0), 0),
        # Two turns jump too seldom to tell an angle from a reset.
        (TURNS[:154] % 360, 0),
    ],
    ids=["forwards", "backwards", "swing", "ramp", "switch", "noise", "constant", "seldom"],
)
def test_an_angle_that_starts_anew_is_counted(column: np.ndarray, times: int) -> None:
    assert wraps([column]) == times


def test_the_step_from_case_to_case_is_no_wrap() -> None:
    # From 0 to 357 degrees in each.
    assert wraps([TURNS[:52]] * 20) == 0
