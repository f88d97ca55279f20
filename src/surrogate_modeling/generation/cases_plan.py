"""The plan of cases that a simulator of the user makes: which inputs move how, which parameters vary.

``inputs`` maps the name of an input to its range ``[low, high]``, or to a mapping with the keys of
:class:`InputPlan`; ``parameter_ranges`` maps the name of a parameter to its range.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.generation.simulator import PlanError, require_whole_steps

FAMILIES = ("constant", "steps", "ramps", "multisine", "prbs", "recorded")
INPUT_KEYS = ("range", "family", "times", "rate", "file")
# Shares of the duration between which the default times of an input lie.
DEFAULT_TIMES = (0.02, 0.2)


@dataclass(frozen=True)
class InputPlan:
    """How one input moves.

    Attributes:
        name: of the input.
        range: lowest and highest value; None for a recorded input, which may be any.
        family: signal families of which each case draws one: see :data:`FAMILIES`.
        times: shortest and longest time [s]: that a level is held, of a ramp, of a period; of ``prbs`` the first is
            the clock.
        rate: largest change per second; None for any.
        file: recorded schedules: a CSV in the case format, a folder or a pattern of them.
    """

    name: str
    range: tuple[float, float] | None
    family: tuple[str, ...]
    times: tuple[float, float]
    rate: float | None = None
    file: str | None = None

    def content(self) -> dict[str, object]:
        """As it reads in ``plan.json``; of recorded schedules a digest instead of the place."""
        plan: dict[str, object] = {"range": self.range, "family": list(self.family), "times": list(self.times)}
        return {**plan, "rate": self.rate, **({"file": _digest(self.file)} if self.file else {})}


@dataclass(frozen=True)
class CasesPlan:
    """Number of cases, duration and step [s], seed, inputs, and ranges of parameters with their sampling.

    Attributes:
        cases: how many; parameters of a Latin hypercube depend on it, all else on seed and number of a case only.
        duration: of a case [s].
        step: between rows [s].
        seed: of everything that is drawn.
        inputs: that move.
        parameters: name -> lowest and highest value; one value per case.
        sampling: ``sobol`` (a set can grow) or ``latin_hypercube``.
    """

    cases: int
    duration: float
    step: float
    seed: int
    inputs: tuple[InputPlan, ...]
    parameters: dict[str, tuple[float, float]]
    sampling: str = "sobol"
    # Of the parameters, in the unit cube: drawn once, as the library that does it is slow to load.
    points: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _unit_points(len(self.parameters), self.cases, self.seed, self.sampling))
        require_whole_steps(self.duration, self.step)
        if not self.inputs and not self.parameters:
            raise PlanError("neither inputs nor parameter_ranges: every case would be the same")
        both = [item.name for item in self.inputs if item.name in self.parameters]
        if both:
            raise PlanError(f"{', '.join(both)}: in inputs and in parameter_ranges; one of them, please")

    @property
    def time(self) -> np.ndarray:
        """Times of the rows (T,) [s], computed as k d."""
        return np.arange(round(self.duration / self.step) + 1) * self.step

    def content(self) -> dict[str, object]:
        """As it reads in ``plan.json``."""
        content: dict[str, object] = {
            "duration": float(self.duration),
            "step": float(self.step),
            "seed": self.seed,
            "inputs": {item.name: item.content() for item in self.inputs},
        }
        if self.parameters:
            content["parameter_ranges"] = {name: list(limits) for name, limits in self.parameters.items()}
            content["sampling"] = self.sampling
        if self.parameters and self.sampling == "latin_hypercube":
            content["cases"] = self.cases
        return content

    def parameter_values(self, number: int) -> dict[str, float]:
        """Values of the parameters in one case."""
        points = self.points
        if number > len(points):
            points = _unit_points(len(self.parameters), number, self.seed, self.sampling)
        return {
            name: low + (high - low) * float(share)
            for (name, (low, high)), share in zip(self.parameters.items(), points[number - 1], strict=True)
        }


def _unit_points(dimensions: int, count: int, seed: int, sampling: str) -> np.ndarray:
    """Points (count or more, dimensions) in the unit cube; of Sobol's sequence the first do not depend on the count."""
    if dimensions == 0:
        return np.empty((count, 0))
    from scipy.stats import qmc

    if sampling == "latin_hypercube":
        return np.asarray(qmc.LatinHypercube(dimensions, rng=seed).random(count))
    # Powers of two, as the sequence is balanced there only.
    return np.asarray(qmc.Sobol(dimensions, rng=seed).random_base2(max(0, math.ceil(math.log2(count)))))


def parse_inputs(raw: object, duration: float) -> tuple[InputPlan, ...]:
    """Check the mapping ``inputs``.

    Args:
        raw: as configured.
        duration: of a case [s], of which default times are shares.

    Raises:
        PlanError: a key or value is not allowed.
    """
    if not isinstance(raw, Mapping):
        raise PlanError(f"inputs = {raw}: give a mapping of names to ranges, as {{valve: [0, 1]}}")
    return tuple(_parse_input(checked_name(name, "inputs"), item, duration) for name, item in raw.items())


def parse_ranges(raw: object) -> dict[str, tuple[float, float]]:
    """Check the mapping ``parameter_ranges``.

    Raises:
        PlanError: a value is no range.
    """
    if not isinstance(raw, Mapping):
        raise PlanError(f"parameter_ranges = {raw}: give a mapping of names to ranges, as {{mass: [1, 2]}}")
    key = "parameter_ranges"
    return {checked_name(name, key): _pair(limits, f"{key}.{name}") for name, limits in raw.items()}


def checked_name(name: object, key: str) -> str:
    """A name as it was written.

    Args:
        name: key of a mapping.
        key: of the mapping, for messages.

    Raises:
        PlanError: YAML has read it as a truth value.
    """
    if isinstance(name, bool):
        raise PlanError(f"{key}: {name}: put this name in quotes; YAML reads on, off, yes and no as truth values")
    return str(name)


def _parse_input(name: str, raw: object, duration: float) -> InputPlan:
    item = raw if isinstance(raw, Mapping) else {"range": raw}
    key = f"inputs.{name}"
    unknown = [str(word) for word in item if word not in INPUT_KEYS]
    if unknown:
        raise PlanError(f"{key}: {', '.join(unknown)} unknown; known: {', '.join(INPUT_KEYS)}")
    file = item.get("file")
    given = item.get("family") or ("recorded" if file else "steps")
    family = tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given),)
    wrong = [word for word in family if word not in FAMILIES]
    if wrong:
        raise PlanError(f"{key}.family: {', '.join(wrong)} unknown; choose from {', '.join(FAMILIES)}")
    if ("recorded" in family) != (file is not None):
        raise PlanError(f"{key}: family recorded and a file go together")
    limits = item.get("range")
    if limits is None and family != ("recorded",):
        raise PlanError(f"{key}.range: no value given; give the lowest and the highest, as [0, 1]")
    times = item.get("times")
    shortest, longest = _pair(times, f"{key}.times") if times else (s * duration for s in DEFAULT_TIMES)
    if shortest <= 0:
        raise PlanError(f"{key}.times = {times}: give seconds above 0")
    place = None if file is None else str(expanded(str(file), f"{key}.file").absolute())
    return InputPlan(
        name,
        None if limits is None else _pair(limits, f"{key}.range"),
        family,
        (shortest, longest),
        _rate(item.get("rate"), key),
        place,
    )


def _pair(raw: object, key: str) -> tuple[float, float]:
    if not isinstance(raw, list | tuple) or len(raw) != 2 or not all(map(_is_number, raw)) or not raw[0] <= raw[1]:
        raise PlanError(f"{key} = {raw}: give two numbers, the lower first, as [0, 1]")
    return float(raw[0]), float(raw[1])


def _rate(raw: object, key: str) -> float | None:
    if raw is None:
        return None
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not math.isfinite(raw) or raw <= 0:
        raise PlanError(f"{key}.rate = {raw}: give a change per second above 0, or leave it out")
    return float(raw)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def recorded_files(place: str) -> list[Path]:
    """The recorded schedules of an input, in name order.

    Raises:
        PlanError: nothing there.
    """
    from surrogate_modeling.cases.schedules import schedule_files

    try:
        return schedule_files(place)
    except UserError as error:
        raise PlanError(str(error)) from None


def _digest(place: str) -> str:
    """Digest of recorded schedules: names and contents."""
    digest = hashlib.sha256()
    for file in recorded_files(place):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
