"""Cells of text: which are numbers, dates or missing, and their conversion to numbers.

Numbers may have a decimal comma, thousands marks, Fortran's exponents (``1.5D+02``, ``1.5-102``), and what C libraries
print for no number (``1.#IND``), or be written in full width (``１．５``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surrogate_modeling.common.full_width import narrow

# Cells, in lower case, that say there is no number.
MISSING = (
    "", "nan", "-nan", "+nan", "na", "n/a", "n.a.", "#n/a", "#na", "null", "none", "nil", "-", "--", "---", "?", "*",
    "inf", "+inf", "-inf", "infinity", "-infinity", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "1.#snan", "1.#inf",
    "-1.#inf", "#value!", "#div/0!", "#ref!", "#num!", "#name?", "nan(ind)", "-nan(ind)", "no data", "<missing>",
)  # fmt: skip
_MISSING_SET = frozenset(MISSING)
SPACES = " \u00a0\u202f\u2009"
GROUPS = rf"\d{{1,3}}(?:[.,'’{SPACES}]\d{{3}})+"
EXPONENT = r"(?:[eEdD][+-]?\d+|[+-]\d{3})"
NUMBER = re.compile(rf"[+-]?(?:{GROUPS}(?:[.,]\d*)?|\d+(?:[.,]\d*)?|[.,]\d+){EXPONENT}?")
_CLOCK = r"\d{1,3}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp][Mm])?"
CLOCK = re.compile(_CLOCK)
DATE = re.compile(
    r"\d{1,4}\s*[-/.年]\s*(?:\d{1,2}|[A-Za-z]{3})\s*[-/.月]\s*\d{1,4}日?"
    rf"(?:(?:T|\s+){_CLOCK}\s*(?:Z|[+-]\d{{2}}:?\d{{2}})?)?"
)
# 9時05分 or 午後1:05:30, behind a date or alone.
JAPANESE_CLOCK = re.compile(
    r"\s*(?P<half>午前|午後)?\s*(?P<hour>\d{1,2})\s*[時:]\s*(?:(?P<minute>\d{1,2})\s*(?:分|(?=:)|$)\s*)?"
    r"(?::?(?P<second>\d{1,2})(?P<fraction>[.,]\d+)?\s*(?:秒|$))?"
)
STRICT = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number."""
    return narrow(cell).strip().lower() in _MISSING_SET


def is_number(cell: str) -> bool:
    """Whether a cell is a number in any notation."""
    text = narrow(cell).strip()
    return NUMBER.fullmatch(text) is not None and not text.endswith(",")


def is_date(cell: str) -> bool:
    """Whether a cell is a date, a time of day, or both."""
    text = western_clock(narrow(cell)).strip()
    return CLOCK.fullmatch(text) is not None or (DATE.fullmatch(text) is not None and not is_number(text))


def western_clock(text: str) -> str:
    """A date or time of day with its time of day in digits: ``9時05分`` is 9:05, and ``午後1:05:30`` is 13:05:30."""
    return JAPANESE_CLOCK.sub(_western, text).strip() if "時" in text or "午" in text else text


def _western(found: re.Match[str]) -> str:
    hour = int(found["hour"])
    if (not found["half"] and "時" not in found[0]) or (found["half"] and hour > 12):
        return found[0]
    if found["half"]:
        hour = hour % 12 + 12 * (found["half"] == "午後")
    second = f":{found['second']:0>2}{found['fraction'] or ''}" if found["second"] else ""
    return f" {hour}:{found['minute'] or '0':0>2}{second}"


def to_numbers(
    cells: pa.Array, decimal: str = ".", thousands: str = "", no_number: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Convert cells of text to numbers.

    Args:
        cells: (T,) strings or null.
        decimal: mark of decimals, ``.`` or ``,``.
        thousands: mark between groups of three digits; empty: there is none.
        no_number: texts of missing cells, beside the usual ones.

    Returns:
        float64 (T,), NaN where a cell is missing or text; and whether it is text (T,).
    """
    cells = cells.cast(pa.string())
    if pc.any(pc.invert(pc.string_is_ascii(cells))).as_py():
        cells = pa.array([None if cell is None else narrow(cell) for cell in cells.to_pylist()], pa.string())
    text = pc.utf8_trim_whitespace(cells)
    words = [*MISSING, *(word.lower() for word in no_number)]
    missing = pc.or_(pc.is_null(text), pc.is_in(pc.utf8_lower(text), pa.array(words)))
    number = pc.replace_substring_regex(text, r"^\+", "")
    if thousands:
        mark = f"[{SPACES}]" if thousands in SPACES else re.escape(thousands)
        grouped = rf"^-?\d{{1,3}}({mark}\d{{3}})+({re.escape(decimal)}\d*)?([eEdD][+-]?\d+)?$"
        bare = pc.replace_substring_regex(number, mark, "")
        number = pc.if_else(pc.match_substring_regex(number, grouped), bare, number)
    if decimal == ",":
        # A point is no mark of decimals then.
        pointed = pc.match_substring(number, ".")
        number = pc.if_else(pointed, pa.scalar(None, pa.string()), pc.replace_substring(number, ",", "."))
    plain = pc.match_substring_regex(number, STRICT)
    if pc.any(pc.invert(pc.or_(plain, missing))).as_py():
        fortran = pc.replace_substring_regex(number, r"^(-?[\d.]+)[dD]([+-]?\d+)$", r"\1e\2")
        number = pc.replace_substring_regex(fortran, r"^(-?\d*\.\d*)([+-]\d{3})$", r"\1e\2")
        plain = pc.match_substring_regex(number, STRICT)
    taken = pc.and_(pc.fill_null(plain, False), pc.invert(missing))
    values = pc.if_else(taken, number, pa.scalar(None, pa.string())).cast(pa.float64())
    found = values.to_numpy(zero_copy_only=False).astype(np.float64)
    is_text = pc.invert(pc.or_(taken, missing)).to_numpy(zero_copy_only=False).astype(bool)
    return found, is_text
