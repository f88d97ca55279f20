"""Names and units of columns: from a line of units, or from brackets behind the names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from surrogate_modeling.cases.units import known_unit
from surrogate_modeling.common.full_width import narrow

OPEN, CLOSE = "[({（［【", "])}）］】"
BRACKETED = re.compile(
    rf"(?P<name>.*\S)\s*[{re.escape(OPEN)}](?P<unit>[^{re.escape(OPEN + CLOSE)}]*)[{re.escape(CLOSE)}]"
)
# A unit may hold round brackets of its own: p [J/(kg.K)].
SQUARE = re.compile(r"(?P<name>.*\S)\s*[\[［【](?P<unit>[^\[\]］】]*)[\]］】]")
SLASHED = re.compile(r"(?P<name>.*\S)\s+(?:/|in)\s+(?P<unit>\S+)")
# Two of them behind one name are statistics, also min, which alone is a unit: minutes.
STATISTICS = frozenset(("min", "minimum", "max", "maximum", "mean", "avg", "average", "median", "std", "rms"))
# Subscripts of Modelica and C: T[1], A[2,3].
SUBSCRIPT = re.compile(r"\s*\d+(\s*[,:]\s*\d+)*\s*")


def one_line(text: str) -> str:
    """A name with a blank for each line break, as Alt+Enter makes them in Excel; a case file has none."""
    lines = text.splitlines()
    return text if lines == [text] else " ".join(filter(None, map(str.strip, lines)))


def bare_unit(cell: str) -> str:
    """The unit of a cell, without the brackets around it, in plain letters: ``（ｋＷ）`` is kW."""
    text = cell.strip()
    return narrow(text[1:-1] if _is_bracketed(text) else text).strip()


def _is_bracketed(text: str) -> bool:
    return len(text) >= 2 and text[0] in OPEN and OPEN.index(text[0]) == CLOSE.find(text[-1])


def split_name(header: str) -> tuple[str, str | None]:
    """Split ``p [bar]``, ``T (degC)`` or ``Q / kW`` into name and unit; the unit is None where there is none.

    Square brackets hold a unit unless they are a subscript; what stands in other brackets or behind a slash counts
    only if it is a known unit: ``f(x)`` is a name. Units are given in plain letters, names as they are written.
    """
    text = header.strip()
    if (found := SQUARE.fullmatch(text)) and not SUBSCRIPT.fullmatch(found["unit"]):
        return found["name"], narrow(found["unit"]).strip()
    for pattern in (BRACKETED, SLASHED):
        found = pattern.fullmatch(text)
        if not found or SUBSCRIPT.fullmatch(found["unit"]):
            continue
        unit = narrow(found["unit"]).strip()
        # T (in) is the temperature at the inlet, as T (out) is that at the outlet.
        if known_unit(unit) and not (unit == "in" and pattern is BRACKETED):
            return found["name"], unit
    return text, None


def split_names(headers: Collection[str]) -> dict[str, tuple[str, str | None]]:
    """Split the names of a table as :func:`split_name` does, but keep ``T (min)`` whole where ``T (max)`` is beside it.

    Args:
        headers: of its columns, no two of them equal.
    """
    found = {header: BRACKETED.fullmatch(header.strip()) for header in headers}
    stems = {header: m["name"] for header, m in found.items() if m and narrow(m["unit"]).strip().lower() in STATISTICS}
    shared = {stem for stem, count in Counter(stems.values()).items() if count > 1}
    return {header: (header.strip(), None) if stems.get(header) in shared else split_name(header) for header in headers}


def is_unit_row(cells: Sequence[str]) -> bool:
    """Whether the cells of a line are units, some of them known, and none anything else."""
    units = [cell for cell in cells if cell.strip()]
    known = [_is_bracketed(cell.strip()) or known_unit(cell.strip()) for cell in units]
    return bool(units) and all(known)
