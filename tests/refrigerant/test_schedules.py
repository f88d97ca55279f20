"""Schedules: what they depend on, and the ranges they keep."""

import numpy as np
import pytest

from surrogate_modeling.generation.circuit import FAMILY_NAMES
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant.families import FAMILIES, family_of
from surrogate_modeling.refrigerant.schedules import make_schedule

SHARES = {"random_steps": 0.3, "pi_control": 0.3, "thermostat": 0.2, "engine": 0.2}


def test_a_schedule_depends_on_seed_and_number_only() -> None:
    a, b = (make_schedule(7, 60.0, "random_steps", 3) for _ in range(2))
    np.testing.assert_array_equal(a.plan, b.plan)
    assert not np.array_equal(a.plan, make_schedule(8, 60.0, "random_steps", 3).plan)
    assert not np.array_equal(a.plan, make_schedule(7, 60.0, "random_steps", 4).plan)
    # The family drives the compressor; weather and traffic are the same for all.
    other = make_schedule(7, 60.0, "thermostat", 3)
    np.testing.assert_array_equal(a.plan[:, 1:], other.plan[:, 1:])


def test_rows_cover_warm_up_and_duration() -> None:
    assert make_schedule(1, 100.0, "engine", 0).plan.shape == (1601, 9)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_controls_stay_in_their_ranges(family: str) -> None:
    for number in range(1, 16):
        plan = make_schedule(number, 600.0, family, 0).plan
        assert np.isfinite(plan).all()
        low, high = plan.min(axis=0), plan.max(axis=0)
        assert low[ly.COMP_N] >= 0.0
        assert high[ly.COMP_N] <= 7000.0
        assert low[ly.VEH_V] >= -1e-9
        assert high[ly.VEH_V] < 150.0
        assert low[ly.FAN_DUTY] >= 20.0
        assert high[ly.FAN_DUTY] <= 100.0
        assert low[ly.AMB_T] >= 16.0
        assert high[ly.AMB_T] <= 44.0
        assert low[ly.EVA_T] > 10.0
        assert high[ly.EVA_T] < 60.0
        assert low[ly.EVA_RH] > 1.0
        assert high[ly.EVA_RH] <= 95.0
        assert low[ly.BLOWER_FLOW] >= 130.0
        assert high[ly.BLOWER_FLOW] <= 500.0
        assert 3.0 <= low[ly.SH_SET] == high[ly.SH_SET] <= 8.0
        slow = plan[:, ly.VEH_V] < 35.0
        assert (plan[slow, ly.FAN_DUTY] >= 45.0).all()
        assert (plan[:, ly.BAY_T] > plan[:, ly.AMB_T] - 5.0).all()


def test_family_shares_are_close_in_any_first_cases() -> None:
    names = [family_of(number, SHARES, 0) for number in range(1, 101)]
    for count in (20, 50, 100):
        for name, share in SHARES.items():
            assert abs(names[:count].count(name) - share * count) <= 2.0
    assert {family_of(n, {"engine": 1.0, "thermostat": 0.0}, 5) for n in range(1, 50)} == {"engine"}
    assert tuple(FAMILIES) == FAMILY_NAMES
