"""The search space: Hydra's sweep overrides as distributions of Optuna, and a point of the space as overrides.

``choice(a, b)`` is one of the values, ``range(2, 7)`` a whole number or step with both ends included (as in Hydra's
Optuna plugin), ``interval(a, b)`` anything between; ``tag(log, ...)`` around the last two draws on a logarithmic
scale.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.quoting import quote

Point = Mapping[str, Any]
LOG = "log"


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


def parse_space(arguments: Sequence[str], params: Mapping[str, str], loader: ConfigLoader | None = None) -> Space:
    """Sort overrides into searched and fixed ones.

    Args:
        arguments: of the command line; they win over ``params``.
        params: ``hydra.sweeper.params``.
        loader: finds the files that ``glob(...)`` stands for.

    Raises:
        UserError: a range is not one, or cannot be searched as its tags say.
    """
    parser = OverridesParser.create(loader)
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
    """What a trial at ``point`` is started with; texts among the choices are kept as they are typed."""
    return [*space.fixed, *(f"{name}={'null' if value is None else value}" for name, value in point.items())]


def _distribution(override: Override) -> BaseDistribution:
    value: Any = override.value()
    if isinstance(value, Glob):
        # Schemas stand in the same group, for other files to build on.
        names = [str(name) for name in override.sweep_iterator() if not str(name).endswith("_schema")]
        if not names:
            raise UserError(f"{override.input_line}: matches no file in hydra/{override.key_or_group}/")
        return CategoricalDistribution(names)
    if unknown := sorted(value.tags - {LOG}):
        raise UserError(f"{override.input_line}: tag {unknown[0]} means nothing here; known: {LOG}")
    if isinstance(value, IntervalSweep):
        return _interval(override, value)
    if isinstance(value, RangeSweep) and not value.shuffle:
        return _steps(override, value)
    if LOG in value.tags:
        raise UserError(f"{override.input_line}: choices have no logarithm; take interval(...) or range(...)")
    if isinstance(value, RangeSweep):
        choices = _values(_steps(override, value))
    else:
        choices = [_as_typed(element) for element in value.list]
    if value.shuffle:
        # The same order in every process that works on the study.
        random.Random(str(override.input_line)).shuffle(choices)
    return CategoricalDistribution(list({repr(choice): choice for choice in choices}.values()))


def _as_typed(element: Any) -> Any:
    """A choice as Optuna keeps it: numbers, truth values and null as they are, anything else as an override's text."""
    if element is None or isinstance(element, bool | int | float):
        return element
    if not isinstance(element, str | QuotedString):
        return Transformer.str(element)
    text = element if isinstance(element, str) else element.text
    return text if _reads_back(text) else quote(text)


def _reads_back(text: str) -> bool:
    """Whether a text needs no quotes."""
    try:
        return OverridesParser.create().parse_override(f"key={text}").value() == text
    except HydraException:
        return False


def _require_finite(override: Override, *edges: float) -> None:
    if not all(map(math.isfinite, edges)):
        raise UserError(f"{override.input_line}: must have finite ends; give the largest value that makes sense")


def _interval(override: Override, value: IntervalSweep) -> BaseDistribution:
    low, high, log = value.start, value.end, LOG in value.tags
    assert low is not None
    assert high is not None
    _require_finite(override, low, high)
    if not low < high or (log and low <= 0):
        raise UserError(f"{override.input_line}: must rise, and with tag({LOG}, ...) start above 0")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _steps(override: Override, value: RangeSweep) -> BaseDistribution:
    start, stop, step = value.start, value.stop, value.step
    assert start is not None
    assert stop is not None
    _require_finite(override, start, stop, step)
    if step <= 0 or start > stop:
        raise UserError(f"{override.input_line}: must rise, with a step above 0")
    whole = isinstance(start, int) and isinstance(stop, int) and isinstance(step, int)
    if LOG in value.tags:
        if not whole or step != 1 or start < 1:
            raise UserError(f"{override.input_line}: tag({LOG}, range(...)) takes whole numbers from 1 and no step; "
                            f"anything else is tag({LOG}, interval(...))")  # fmt: skip
        return IntDistribution(int(start), int(stop), log=True)
    if whole:
        return IntDistribution(int(start), int(start + (stop - start) // step * step), step=int(step))
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
