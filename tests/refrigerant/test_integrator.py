"""RKC2 by its stability polynomial, its order on the circuit, and the control unit's rules."""

import numpy as np
import pytest

from surrogate_modeling.refrigerant import families
from surrogate_modeling.refrigerant import integrator as it
from surrogate_modeling.refrigerant import layout as ly
from surrogate_modeling.refrigerant import reference as ref


def polynomial(z: float, stages: int = it.STAGES) -> float:
    """One step of size 1 on y' = z y from 1, by the recursion the kernel uses."""
    k = it.rkc_coefficients(stages)
    before, now = 1.0, 1.0 + k[2, 1] * z
    for j in range(2, stages + 1):
        after = (1 - k[0, j] - k[1, j]) + k[0, j] * now + k[1, j] * before + k[2, j] * z * now + k[3, j] * z
        before, now = now, after
    return now


def test_rkc_is_of_second_order_and_stable_to_its_limit() -> None:
    errors = [abs(polynomial(-h) - np.exp(-h)) for h in (0.02, 0.01)]
    assert errors[0] / errors[1] == pytest.approx(8.0, rel=0.05)
    # Sommeijer, Shampine and Verwer: beta = 2/3 (s^2 - 1) (1 - 2/15 eps), eps = 2/13; 22.85 for 6 stages.
    limit = 2.0 / 3.0 * (it.STAGES**2 - 1) * (1.0 - 2.0 / 15.0 * 2.0 / 13.0)
    assert all(abs(polynomial(-z)) <= 1.0 + 1e-12 for z in np.linspace(0.0, 0.99 * limit, 2000))
    assert abs(polynomial(-1.07 * limit)) > 1.0


def test_halving_the_step_quarters_the_error() -> None:
    start = ref.settled_state("R134a", ref.OPERATING_POINT, 200.0)
    fine = ref.by_rkc(start, "R134a", 20.0, 64).states[:, [ly.P_HIGH, ly.P_LOW]]
    coarse, half = (ref.by_rkc(start, "R134a", 20.0, n).states[:, [ly.P_HIGH, ly.P_LOW]] for n in (2, 4))
    ratio = np.sqrt(((coarse - fine) ** 2).mean(axis=0) / ((half - fine) ** 2).mean(axis=0))
    assert (ratio > 2.5).all()


class Unit:
    """The control unit with plausible sensors, stepped by 0.1 s."""

    def __init__(self, family: int = families.RANDOM_STEPS) -> None:
        self.family, self.state = family, np.zeros(it.N_UNIT)
        self.state[:3] = 20.0, 0.0, 60.0
        self.o = np.zeros(ly.N_OBSERVED)
        self.o[[ly.O_T_EVA_AIR, ly.O_P_DIS, ly.O_P_SUC]] = 293.15, 12e5, 3e5

    def run(self, seconds: float, request: float = 4000.0, target: float = 8.0, t_dis: float = 350.0) -> list:
        return [
            it.control_unit(self.family, request, target, self.o, t_dis, self.state) for _ in range(round(seconds * 10))
        ]


def test_speed_rises_and_falls_at_the_slew_limits() -> None:
    unit = Unit()
    speeds = unit.run(3.0)
    assert speeds[:2] == [200.0, 400.0]
    assert speeds[-1] == 4000.0
    unit.run(30.0)
    assert unit.run(0.2, request=0.0) == [3600.0, 3200.0]


def test_minimum_on_and_off_times() -> None:
    unit = Unit()
    unit.run(5.0)
    assert min(unit.run(14.0, request=0.0)) >= 1000.0
    assert unit.run(5.0, request=0.0)[-1] == 0.0
    assert max(unit.run(9.0)) == 0.0
    assert max(unit.run(6.0)) > 0.0


@pytest.mark.parametrize(("sensor", "value"), [(ly.O_P_DIS, 27.5e5), (ly.O_P_SUC, 1.1e5)])
def test_pressures_trip_at_once_and_keep_it_off(sensor: int, value: float) -> None:
    unit = Unit()
    unit.run(5.0)
    normal = unit.o[sensor]
    unit.o[sensor] = value
    assert unit.run(2.0)[-1] == 0.0
    unit.o[sensor] = normal
    assert max(unit.run(27.0)) == 0.0
    assert max(unit.run(3.0)) > 0.0


def test_a_hot_discharge_trips() -> None:
    unit = Unit()
    unit.run(5.0)
    assert unit.run(2.0, t_dis=400.0)[-1] == 0.0


def test_high_pressure_and_frost_derate() -> None:
    unit = Unit()
    unit.run(10.0)
    unit.o[ly.O_P_DIS] = 24.5e5  # half of the way from 22.5 to 26.5 bar: 0.65 of the request
    assert unit.run(5.0)[-1] == pytest.approx(2600.0)
    unit.o[ly.O_P_DIS] = 12e5
    unit.o[ly.O_T_EVA_AIR] = 273.15 + 1.75  # half of the way from 0.5 to 3 degC
    assert unit.run(60.0)[-1] == pytest.approx(2000.0, rel=1e-3)


def test_thermostat_switches_round_its_target() -> None:
    unit = Unit(families.THERMOSTAT)
    unit.run(30.0)
    unit.o[ly.O_T_EVA_AIR] = 273.15 + 6.0  # below 8 - 1.5
    assert unit.run(30.0)[-1] == 0.0
    unit.o[ly.O_T_EVA_AIR] = 273.15 + 9.0  # inside the band: stays off
    assert max(unit.run(30.0)) == 0.0
    unit.o[ly.O_T_EVA_AIR] = 273.15 + 10.5
    assert unit.run(30.0)[-1] == 4000.0


def test_pi_control_asks_for_more_while_the_air_is_too_warm() -> None:
    unit = Unit(families.PI_CONTROL)
    unit.o[ly.O_T_EVA_AIR] = 273.15 + 10.0
    unit.run(20.0)
    first, later = unit.run(5.0)[-1], unit.run(20.0)[-1]
    assert 1000.0 <= first < later <= 7000.0
