"""Hydra's sweep overrides -> Optuna's distributions, and a point of the space -> overrides again.

``choice(a, b)`` is one of the values, ``range(2, 7)`` a whole number or step with both ends included (as in Hydra's
Optuna plugin), ``interval(a, b)`` anything between, ``tag(log, interval(a, b))`` the same in decades.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from surrogate_modeling.common.errors import UserError

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """What is searched and what is fixed.

    Attributes:
        searched: key -> distribution, in the order written.
        fixed: overrides that every trial gets, as typed.
    """

    searched: dict[str, BaseDistribution]
    fixed: tuple[str, ...]

    @property
    def size(self) -> float:
        """Number of distinct points; infinite when a range is continuous."""
        return math.prod(_count(distribution) for distribution in self.searched.values())

    def points(self) -> Iterator[dict[str, Any]]:
        """All points of a finite space in the order written, the last key fastest."""
        axes = [_values(distribution) for distribution in self.searched.values()]
        return (dict(zip(self.searched, values, strict=True)) for values in itertools.product(*axes))

    def key(self, point: Point) -> tuple[str, ...]:
        """What tells two points apart; steps of a float range may differ in the last digit."""
        values = (point.get(name) for name in self.searched)
        return tuple(repr(float(f"{value:.12g}")) if isinstance(value, float) else repr(value) for value in values)


def parse_space(arguments: Sequence[str], params: Mapping[str, str]) -> Space:
    """Sort overrides into searched and fixed ones.

    Args:
        arguments: of the command line; they win over ``params``.
        params: ``hydra.sweeper.params``.
    """
    parser = OverridesParser.create()
    lines = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    searched: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    for override in parser.parse_overrides(lines):
        key = override.get_key_element()
        # The later one wins, and a search space may be narrowed to one value on the command line.
        for earlier in (searched, fixed):
            earlier.pop(key, None)
        if override.is_sweep_override():
            searched[key] = _distribution(override)
        else:
            fixed[key] = str(override.input_line)
    return Space(searched, tuple(fixed.values()))


def to_overrides(space: Space, point: Point) -> list[str]:
    """What a trial at ``point`` is started with."""
    return [*space.fixed, *(f"{name}={'null' if value is None else value}" for name, value in point.items())]


def quoted(value: str) -> str:
    """A text that Hydra's grammar reads back as it is."""
    # Only backslashes before a quotation mark, or before the closing one, are doubled.
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"


def _distribution(override: Override) -> BaseDistribution:
    value = override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        low, high, log = value.start, value.end, "log" in value.tags
        if not low < high or (log and low <= 0):
            raise UserError(f"{override.input_line}: must rise, and with tag(log, ...) start above 0")
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(low, high, log=log)
    if isinstance(value, RangeSweep) and not value.shuffle:
        return _steps(override, value)
    # Texts as the grammar reads them back, numbers as numbers.
    choices: Any = list(override.sweep_iterator(transformer=Transformer.encode))
    return CategoricalDistribution(choices)


def _steps(override: Override, value: RangeSweep) -> BaseDistribution:
    assert value.start is not None
    assert value.stop is not None
    start, stop, step = value.start, value.stop, value.step
    if step <= 0 or start > stop:
        raise UserError(f"{override.input_line}: must rise, with a step above 0")
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return IntDistribution(start, start + (stop - start) // step * step, step=step)
    # The top is included when it is on the grid to rounding.
    steps = math.floor((stop - start) / step + 1e-9)
    return FloatDistribution(start, start + steps * step, step=step)


def _count(distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return math.inf
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _values(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    count, step = int(_count(distribution)), distribution.step
    assert step is not None
    return [distribution.low + i * step for i in range(count)]
