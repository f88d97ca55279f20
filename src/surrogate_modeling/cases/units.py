"""Units of columns: which are known, and the conversion from one to another (by Pint)."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from surrogate_modeling.common.full_width import narrow

if TYPE_CHECKING:
    import pint

# As written by tools -> as Pint reads it.
ALIASES = {
    "°C": "degC", "℃": "degC", "deg C": "degC", "deg_C": "degC", "degc": "degC", "oC": "degC", "Celsius": "degC",
    "celsius": "degC", "ºC": "degC", "°F": "degF", "℉": "degF", "deg F": "degF", "°K": "kelvin", "degK": "kelvin",
    "°": "degree", "deg": "degree", "1/min": "rpm", "min-1": "rpm", "min^-1": "rpm", "U/min": "rpm", "r/min": "rpm",
    "rev/min": "rpm", "RPM": "rpm", "rev/s": "rps", "r/s": "rps", "Nm": "N*m", "Ohm": "ohm", "Ω": "ohm", "Sec": "s",
    "秒": "s", "分": "min", "時間": "hour", "sec": "s", "kW.h": "kWh", "hr": "hour", "Nm3/h": "",
    "lpm": "L/min", "VA": "V*A",
}  # fmt: skip
# Known without a look at Pint, whose import takes half a second.
_COMMON = """
s ms us µs min h d K degC °C ℃ degF Pa hPa kPa MPa bar mbar psi atm W kW MW J kJ MJ Wh kWh V mV kV A mA kA
Ah Hz kHz MHz N kN Nm rpm 1/min rad deg ° rad/s deg/s 1/s m mm cm km µm um nm m/s km/h m/s2 m/s^2 kg g t mg
kg/s g/s kg/h L l L/min l/min m3 m^3 m³ m3/s m3/h m³/h kg/m3 J/kg kJ/kg J/(kg.K) W/K W/m2 % - 1 Ohm Ω ohm
mol ppm
"""
COMMON = frozenset(_COMMON.split())
DIMENSIONLESS = ("-", "--", "1", "none", "[-]")
POWER = re.compile(r"(?<=[A-Za-z])\^?(-?\d)(?![\d])")
# What Pint takes for a product: the gauge pressure bar(g), and words.
AMBIGUOUS = re.compile(r"[A-Za-z]\(|[A-Za-z]\s+[A-Za-z]")
SUPERSCRIPTS = str.maketrans({"²": "2", "³": "3", "⁻": "-", "¹": "1", "·": "*", "⋅": "*", "×": "*", "μ": "µ"})


class UnitError(ValueError):
    """Two units cannot be converted into each other; the text says why."""


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[float]:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


# Files are read in threads, and Pint does not say that it allows several.
_LOCK = threading.RLock()


@lru_cache(maxsize=4096)
def _parsed(unit: str) -> pint.Unit | None:
    """Pint's form of a unit; None if it is not known."""
    unit = narrow(unit).strip()
    text = ALIASES.get(unit, unit).strip()
    if text in DIMENSIONLESS:
        text = "dimensionless"
    elif text == "%":
        text = "percent"
    if not text or len(text) > 60 or (text[0].isdigit() and not text.startswith("1/")) or AMBIGUOUS.search(text):
        return None
    # Modelica writes a point for a product and W/(m2.K) for powers.
    text = POWER.sub(r"**\1", text.translate(SUPERSCRIPTS))
    text = re.sub(r"(?<=[A-Za-z0-9)])\.(?=[A-Za-z(])", "*", text)
    try:
        return _registry().parse_units(text)
    except Exception:  # the parser of Pint raises errors of many kinds, some of them of Python's tokenizer
        return None


def known_unit(unit: str) -> bool:
    """Whether a text is a unit."""
    if unit in COMMON or unit in ALIASES:
        return True
    with _LOCK:
        return _parsed(unit) is not None


def conversion(given: str, wanted: str) -> tuple[float, float]:
    """Factor a and offset b with which ``a * value + b`` is the value in another unit.

    Args:
        given: unit of the values.
        wanted: unit to convert to.

    Raises:
        UnitError: a unit is not known, the two measure different things, or the conversion is not linear.
    """
    if given.strip() == wanted.strip():
        return 1.0, 0.0
    with _LOCK:
        return _conversion(given, wanted)


def _conversion(given: str, wanted: str) -> tuple[float, float]:
    import pint

    units = []
    for text in (given, wanted):
        if (unit := _parsed(text.strip())) is None:
            raise UnitError(f"the unit '{text}' is not known" if text.strip() else "no unit is given")
        units.append(unit)
    if units[0] == units[1]:
        return 1.0, 0.0
    if units[0].dimensionality == units[1].dimensionality:
        units[0] = _counted(given, wanted, units)
    try:
        zero, one, two = (float(_registry().Quantity(x, units[0]).to(units[1]).magnitude) for x in (0.0, 1.0, 2.0))
    except pint.errors.DimensionalityError:
        raise UnitError(f"'{given}' cannot be converted to '{wanted}': they measure different things") from None
    except (pint.errors.PintError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise UnitError(f"'{given}' cannot be converted to '{wanted}': {error}") from None
    factor = one - zero
    if abs(two - one - factor) > 1e-9 * max(abs(two), 1.0):
        raise UnitError(f"'{given}' cannot be converted to '{wanted}' by a factor and an offset")
    # The offset drops out of a difference only up to rounding: 274.15 - 273.15 is not 1.
    multiple = _factor(units[0], units[1])
    return _rounded(factor if multiple is None else multiple, 1e-14), _rounded(zero, 1e-12)


def _counted(given: str, wanted: str, units: Sequence[pint.Unit]) -> pint.Unit:
    """The given one of two units of one dimension, a revolution counted as one where only one of them has an angle.

    For Pint a radian is 1, so that 1 rpm would be 0.105 Hz.

    Raises:
        UnitError: a frequency and an angular velocity in radians or degrees, of which the frequency may be either.
    """
    from pint.util import to_units_container

    more = _radians(units[0]) - _radians(units[1])
    if not more:
        return units[0]
    names = [name for unit in units for name in to_units_container(unit) if _radians(name)]
    if all("turn" in name or "revolution" in name for name in names):
        counted: pint.Unit = units[0] * _registry().Unit("turn") ** -more
        return counted
    if set(units[0].dimensionality) == {"[time]"}:
        plain = wanted if more > 0 else given
        raise UnitError(
            f"'{given}' cannot be converted to '{wanted}': '{plain}' may count turns or radians; say rpm or rad/s"
        )
    return units[0]


def _radians(unit: pint.Unit | str) -> float:
    """The power of the angle in a unit."""
    from pint.util import to_units_container

    base = to_units_container(_registry().get_base_units(unit, check_nonmult=False)[1])
    return float(str(base["radian"])) if "radian" in base else 0.0


def _rounded(value: float, tolerance: float) -> float:
    """The number of twelve digits beside a value, where rounding alone may be the difference."""
    short = float(f"{value:.12g}")
    return short if abs(short - value) <= tolerance * max(abs(value), 0.1) else value


def _factor(given: pint.Unit, wanted: pint.Unit) -> float | None:
    """The exact factor of two units; None where it is not defined."""
    import pint

    try:
        base = [_registry().get_base_units(unit, check_nonmult=False)[0] for unit in (given, wanted)]
        return float(str(base[0])) / float(str(base[1]))
    except (pint.errors.PintError, TypeError, ValueError, ZeroDivisionError):
        return None
