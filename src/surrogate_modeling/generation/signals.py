"""The signals of planned inputs: one function per family, a rate limit, and recorded schedules.

A signal depends on the seed, the number of the case and the place of the input, so that cases can be made in any order.
Recorded inputs of one file keep together: they share the stretch that a case takes of it.

Shape letters: T rows, I inputs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case_file import CaseFileError, RawCase, parse_case
from surrogate_modeling.common.signals import segments, steps, sum_of_sines
from surrogate_modeling.generation.cases_plan import CasesPlan, InputPlan, recorded_files
from surrogate_modeling.generation.simulator import PlanError

SINES = 10


def make_inputs(plan: CasesPlan, number: int) -> np.ndarray:
    """Values (T, I) of the planned inputs in one case.

    Raises:
        PlanError: a recorded schedule cannot be used.
    """
    time = plan.time
    columns = []
    for place, item in enumerate(plan.inputs):
        rng, family = _stream(plan, number, place)
        values = _recorded(plan, number, item) if family == "recorded" else SHAPES[family](rng, time, item)
        columns.append(limit_rate(values, item.rate * plan.step) if item.rate is not None else values)
    return np.stack(columns, axis=1) if columns else np.empty((len(time), 0))


def input_family(plan: CasesPlan, number: int, place: int) -> str:
    """The signal family of one input in one case."""
    return _stream(plan, number, place)[1]


def _stream(plan: CasesPlan, number: int, place: int) -> tuple[np.random.Generator, str]:
    rng = np.random.default_rng([plan.seed, number, place])
    families = plan.inputs[place].family
    return rng, families[int(rng.integers(len(families)))]


def _constant(rng: np.random.Generator, time: np.ndarray, item: InputPlan) -> np.ndarray:
    return np.full(len(time), rng.uniform(*_limits(item)))


def _steps(rng: np.random.Generator, time: np.ndarray, item: InputPlan) -> np.ndarray:
    return steps(rng, len(time), _limits(item), item.times, time[1])


def _ramps(rng: np.random.Generator, time: np.ndarray, item: InputPlan) -> np.ndarray:
    """Straight lines between levels."""
    corners = segments(rng, len(time), item.times, time[1])
    return np.interp(np.arange(len(time)), corners, rng.uniform(*_limits(item), size=len(corners)))


def _multisine(rng: np.random.Generator, time: np.ndarray, item: InputPlan) -> np.ndarray:
    """Sines of equal weight, with periods between the times (log-uniform), that touch one end of the range."""
    low, high = _limits(item)
    shortest, longest = (math.log(max(period, 2.0 * float(time[1]))) for period in item.times)
    periods = np.exp(rng.uniform(shortest, longest, SINES))
    wave = sum_of_sines(np.ones(SINES), periods, rng.uniform(0.0, 2.0 * np.pi, SINES), time)
    return (low + high) / 2 + (high - low) / 2 * wave / np.abs(wave).max()


def _prbs(rng: np.random.Generator, time: np.ndarray, item: InputPlan) -> np.ndarray:
    """Pseudo-random binary sequence of maximum length between the ends of the range."""
    from scipy.signal import max_len_seq

    clock = max(1, round(item.times[0] / time[1]))
    bits = math.ceil(len(time) / clock)
    register = max(2, math.ceil(math.log2(bits + 1)))
    start = rng.integers(0, 2, register)
    if not start.any():
        start[0] = 1
    sequence = np.resize(max_len_seq(register, state=start)[0], bits)
    low, high = _limits(item)
    return np.where(np.repeat(sequence, clock)[: len(time)] == 1, high, low)


SHAPES: dict[str, Callable[[np.random.Generator, np.ndarray, InputPlan], np.ndarray]] = {
    "constant": _constant,
    "steps": _steps,
    "ramps": _ramps,
    "multisine": _multisine,
    "prbs": _prbs,
}


def _limits(item: InputPlan) -> tuple[float, float]:
    assert item.range is not None
    return item.range


def limit_rate(values: np.ndarray, change: float) -> np.ndarray:
    """Follow a signal (T,) by at most ``change`` per row."""
    if len(values) < 2 or np.abs(np.diff(values)).max() <= change:
        return values
    limited, level = np.empty_like(values), float(values[0])
    for k, wanted in enumerate(values.tolist()):
        level += min(max(wanted - level, -change), change)
        limited[k] = level
    return limited


def require_recorded(plan: CasesPlan) -> None:
    """Check every recorded schedule as a whole: which stretch of which file a case takes is drawn.

    Raises:
        PlanError: one cannot be used.
    """
    for item in plan.inputs:
        for file in recorded_files(item.file) if item.file is not None else ():
            _column(plan, item, file)


def _recorded(plan: CasesPlan, number: int, item: InputPlan) -> np.ndarray:
    """A stretch of a recorded schedule: files in turn, the start drawn where the record is longer than the case."""
    assert item.file is not None
    files = recorded_files(item.file)
    file = files[(number - 1) % len(files)]
    record, digest = _read(file)
    values = _column(plan, item, file)
    spare = record.time[-1] - record.time[0] - plan.duration
    # The place of the file must not matter: the same plan makes the same cases on every machine.
    rng = np.random.default_rng([plan.seed, number, digest])
    start = record.time[0] + (rng.uniform(0.0, spare) if spare > 0 else 0.0)
    return np.interp(start + plan.time, record.time, values)


def _column(plan: CasesPlan, item: InputPlan, file: Path) -> np.ndarray:
    """The column of an input in a recorded schedule (K,).

    Raises:
        PlanError: there is none, it is shorter than a case, or it leaves the range of the input.
    """
    record = _read(file)[0]
    if item.name not in record.names:
        raise PlanError(f"inputs.{item.name}: {file} has no such column; it has {', '.join(record.names)}")
    lasting = record.time[-1] - record.time[0]
    if lasting < plan.duration * (1 - 1e-9):
        raise PlanError(f"inputs.{item.name}: {file} lasts {lasting:g} s, less than duration = {plan.duration:g} s")
    values = record.values[:, record.names.index(item.name)]
    if item.range is not None and not (item.range[0] <= values.min() and values.max() <= item.range[1]):
        raise PlanError(
            f"inputs.{item.name}: {file} goes from {values.min():g} to {values.max():g}, beyond range = "
            f"{list(item.range)}; widen the range, leave it out, or cut the file"
        )
    return values


@lru_cache(maxsize=8)
def _read(file: Path) -> tuple[RawCase, int]:
    """A recorded schedule, and a digest of its bytes."""
    try:
        body = file.read_bytes()
        return parse_case(file, body), int.from_bytes(hashlib.sha256(body).digest()[:8])
    except CaseFileError as error:
        raise PlanError(f"recorded schedule {error}") from None
    except OSError as error:
        raise PlanError(f"recorded schedule {file}: {error.strerror}") from None
