"""Random schedules of the simulator's inputs: weather, traffic, cabin, fans, and four compressor control families.

A schedule depends on the seed, the case number and the duration only, each channel on a random stream of its
own, so that cases can be made in any order, by any number of workers, and a set can grow.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.common.signals import segments, steps, sum_of_sines
from surrogate_modeling.refrigerant.air import vapour_pressure
from surrogate_modeling.refrigerant.columns import CONTROL_STEP
from surrogate_modeling.refrigerant.compilation import compiled

WARM_UP = 60.0  # s, simulated and discarded


@dataclass(frozen=True)
class SimulatorSchedule:
    """Inputs of a simulation, 0.1 s apart: nine controls (the first is the requested speed), air temperature target."""

    family: str
    plan: np.ndarray  # (rows, 9), units of the columns
    targets: np.ndarray  # (rows,), degC of the evaporator's air


def make_schedule(number: int, duration: float, family: str, seed: int) -> SimulatorSchedule:
    """Make the schedule of one case, including the warm-up."""
    rows = round((WARM_UP + duration) / CONTROL_STEP) + 1
    seeds = np.random.SeedSequence([seed, number]).spawn(8)
    weather, traffic, fan, blower, cabin, valve, speed, target = (np.random.default_rng(s) for s in seeds)
    base = weather.uniform(18.0, 42.0)
    ambient = base + _wander(weather, rows, 2.0)
    vehicle = drive_cycle(traffic, rows)
    duty = _steps(fan, rows, (20.0, 100.0), (20.0, 120.0))
    duty = np.where(vehicle < 35.0, np.maximum(duty, 45.0), duty)
    flow = _steps(blower, rows, (130.0, 500.0), (40.0, 200.0))
    air, humidity = cabin_air(cabin, ambient, base)
    bay = ambient[0] + _lag(ambient + weather.uniform(5.0, 15.0) + 12.0 * np.exp(-vehicle / 30.0) - ambient[0], 60.0)
    superheat = np.full(rows, valve.uniform(3.0, 8.0))
    if family == "random_steps":
        request = random_speed(speed, rows)
    elif family == "engine":
        request = engine_speed(vehicle, speed.uniform(1.2, 1.6))
    else:
        request = _steps(speed, rows, (2000.0, 6000.0), (60.0, 240.0))
    targets = _steps(target, rows, (4.0, 12.0), (60.0, 300.0))
    plan = np.stack([request, vehicle, duty, ambient, air, humidity, flow, superheat, bay], axis=1)
    return SimulatorSchedule(family, np.ascontiguousarray(plan), targets)


def _steps(rng: np.random.Generator, rows: int, values: tuple[float, float], length: tuple[float, float]) -> np.ndarray:
    return steps(rng, rows, values, length, CONTROL_STEP)


@compiled
def _lag(values: np.ndarray, tau: float) -> np.ndarray:
    """First-order lag from rest at zero."""
    decay = np.exp(-CONTROL_STEP / tau)
    out = np.empty(values.size)
    state = 0.0
    for k in range(values.size):
        state = (1.0 - decay) * values[k] + decay * state
        out[k] = state
    return out


def _wander(rng: np.random.Generator, rows: int, amplitude: float) -> np.ndarray:
    """Slow random variation: sum of three sines within the amplitude."""
    time = np.arange(rows) * CONTROL_STEP
    weights = rng.dirichlet(np.ones(3)) * amplitude
    periods, phases = rng.uniform(150.0, 900.0, 3), rng.uniform(0.0, 2.0 * np.pi, 3)
    return sum_of_sines(weights, periods, phases, time)


def drive_cycle(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Vehicle speed [km/h] of micro-trips: accelerate, cruise, brake, perhaps stand."""
    kind = rng.choice(3, p=[0.45, 0.35, 0.20])
    cruise = ((15.0, 55.0), (30.0, 95.0), (80.0, 130.0))[kind]
    lasting = ((5.0, 45.0), (15.0, 90.0), (60.0, 300.0))[kind]
    stopping, standing = (0.8, 0.5, 0.12)[kind], ((3.0, 45.0), (3.0, 30.0), (2.0, 15.0))[kind]
    total = rows * CONTROL_STEP
    times, speeds = [0.0], [float(rng.choice([0.0, rng.uniform(*cruise)]))]
    while times[-1] < total:
        speed = rng.uniform(*cruise)
        rate = rng.uniform(2.0, 6.0) if speed > speeds[-1] else rng.uniform(3.0, 8.0)  # km/h/s
        times.append(times[-1] + 0.1 + abs(speed - speeds[-1]) / rate)
        times.append(times[-1] + rng.uniform(*lasting))
        speeds += [speed, max(speed + rng.normal(0.0, 4.0), 5.0)]
        if rng.random() < stopping:
            times.append(times[-1] + 0.1 + speeds[-1] / rng.uniform(3.0, 8.0))
            times.append(times[-1] + rng.uniform(*standing))
            speeds += [0.0, 0.0]
    speed = np.interp(np.arange(rows) * CONTROL_STEP, times, speeds)
    return speed[0] + _lag(speed - speed[0], 0.8)


def cabin_air(rng: np.random.Generator, ambient: np.ndarray, base: float) -> tuple[np.ndarray, np.ndarray]:
    """Air entering the evaporator: temperature [degC] and relative humidity [%].

    The cabin is pulled down while flaps switch between outside and recirculated air.
    """
    rows = ambient.size
    time = np.arange(rows) * CONTROL_STEP
    pulled = 1.0 - np.exp(-time / rng.uniform(120.0, 450.0))
    start, end = base + rng.uniform(0.0, 14.0), rng.uniform(20.0, 27.0)
    cabin = start + (end - start) * pulled
    outside_water = min(rng.uniform(0.25, 0.75) * saturated_water(base), 0.022)
    water_end = min(rng.uniform(0.006, 0.010), outside_water)
    cabin_water = outside_water + (water_end - outside_water) * pulled
    switches = segments(rng, rows, (60.0, 300.0), CONTROL_STEP)
    states = (np.arange(switches.size - 1) + rng.integers(2)) % 2
    share = np.repeat(np.where(states == 1, 0.92, 0.10), np.diff(switches))[:rows]
    share = share[0] + _lag(share - share[0], 3.0)
    air = share * cabin + (1.0 - share) * ambient
    water = share * cabin_water + (1.0 - share) * outside_water
    return air, 100.0 * np.minimum(water / saturated_water(air), 0.95)


def saturated_water(t_celsius: float | np.ndarray) -> float | np.ndarray:
    """Humidity ratio [kg/kg] of saturated air, without the vapour's share of the pressure."""
    return 0.622 * vapour_pressure(t_celsius) / 101325.0


def random_speed(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Requested speed [rpm]: steps and ramps over 1000-7000 rpm, now and then off."""
    starts = segments(rng, rows, (8.0, 90.0), CONTROL_STEP)
    out = np.empty(starts[-1])
    level = rng.uniform(1500.0, 5000.0)
    for first, after in itertools.pairwise(starts):
        target = 0.0 if rng.random() < 0.08 else rng.uniform(1000.0, 7000.0)
        ramp = 1 if rng.random() < 0.5 else max(min(round(rng.uniform(3.0, 40.0) / CONTROL_STEP), after - first), 1)
        if target == 0.0 or level == 0.0:
            ramp = 1
        out[first:after] = target
        out[first : first + ramp] = np.linspace(level, target, ramp + 1)[1:]
        level = target
    return out[:rows]


def engine_speed(vehicle: np.ndarray, pulley: float) -> np.ndarray:
    """Compressor speed [rpm] behind a pulley on an engine that shifts six gears by vehicle speed."""
    gear = np.digitize(vehicle, [18.0, 34.0, 52.0, 72.0, 98.0])
    engine = np.maximum(vehicle * np.array([110.0, 68.0, 48.0, 38.0, 31.0, 26.0])[gear], 800.0)
    return np.clip(_lag(engine * pulley - 800.0 * pulley, 0.6) + 800.0 * pulley, 1000.0, 7000.0)
