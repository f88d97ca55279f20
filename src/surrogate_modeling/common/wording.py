"""Words of messages: numbers of things, and long lists, of which the first are named and the others counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def counted(number: int, what: str) -> str:
    """A number of things in words: 1 file, 2 files."""
    return f"{number} {what}{'s' * (number != 1)}"


def lines_and_rest(lines: Sequence[str], most: int | None, rest: str = "more") -> list[str]:
    """The first lines, and one that counts the others: ``and 3 more``.

    Args:
        lines: all.
        most: how many of them are shown; None for all.
        rest: what stands behind the number of the others.
    """
    shown = lines[:most]
    more = len(lines) - len(shown)
    return [*shown, *([f"and {more} {rest}"] if more else [])]


def names_and_rest(names: Iterable[str], most: int, rest: str = "more") -> str:
    """The first names of a sentence, and the number of the others: ``a, b and 3 more``."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} {rest}" if more > 0 else "")


def with_unit(value: str, unit: str) -> str:
    """A number and its unit, which may be missing: ``3.2 bar``, ``3.2``."""
    return f"{value} {unit}" if unit else value


def as_typed(value: float) -> str:
    """A number of the user, with all its digits: ``9999999.83``."""
    return f"{value:.15g}"


def level_text(value: float, spread: float, digits: int = 5) -> str:
    """A value of a column with so many digits, or as many more as tell a thousandth of the column's spread.

    Args:
        value: of the column.
        spread: its standard deviation or the width of its range; 0 where it has none.
        digits: least number of significant ones.
    """
    if value and spread > 0 and math.isfinite(value):
        digits = max(digits, math.floor(math.log10(abs(value))) - math.floor(math.log10(spread)) + 4)
    # More are not in a number of 64 bits.
    return f"{value:.{min(digits, 15)}g}"


def column_title(name: str, unit: str) -> str:
    """A column with its unit, which may be missing: ``p [bar]``, ``p``."""
    return f"{name} [{unit}]" if unit else name


def unit_per(unit: str, per: str) -> str:
    """The unit of a change of one column by that of another: ``bar per K``, ``bar``, ``1 per K``, or none."""
    return f"{unit or 1} per {per}" if per else unit
