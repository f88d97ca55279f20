"""Columns of text as numbers: switches as 0 and 1, modes as one column each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.cases.units import known_unit
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.cells import NUMBER, is_missing
from surrogate_modeling.importing.header import one_line
from surrogate_modeling.importing.raw_table import BadFile

# Words for 0 and for 1, in lower case.
SWITCHES = (
    ("false", "true"), ("off", "on"), ("no", "yes"), ("closed", "open"), ("close", "open"), ("aus", "ein"),
    ("nein", "ja"), ("zu", "auf"), ("inactive", "active"), ("disabled", "enabled"), ("low", "high"), ("f", "t"),
    ("n", "y"), ("stop", "run"), ("stopped", "running"), ("オフ", "オン"), ("切", "入"), ("閉", "開"), ("無", "有"),
    ("いいえ", "はい"), ("停止", "運転"), ("偽", "真"), ("non", "oui"), ("faux", "vrai"), ("falsch", "wahr"),
)  # fmt: skip
# More modes than this are hardly modes: identifiers, comments, dates.
MOST_MODES = 20
# A number and a unit behind it.
QUANTITY = re.compile(rf"(?P<number>{NUMBER.pattern})\s*(?P<unit>[^\d\s.,].*)")


@dataclass(frozen=True)
class TextMap:
    """How the text of one column becomes numbers.

    Attributes:
        column: its name.
        codes: the number of each text, where the column stays one.
        modes: the texts that get a column each, 1 in the rows that hold them.
        texts: the mode of other texts.
    """

    column: str
    codes: dict[str, float]
    modes: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that it becomes."""
        return tuple(f"{self.column}={one_line(mode)}" for mode in self.modes) or (self.column,)

    @property
    def key(self) -> dict[str, float] | dict[str, str] | list[str]:
        """What the key ``text`` gives for this map."""
        if self.texts:
            return {mode: mode for mode in self.modes} | self.texts
        return self.codes or list(self.modes)

    def places(self) -> dict[str, int]:
        """Place of each text, in lower case, among the modes or the codes."""
        if not self.modes:
            return {text.lower(): place for place, text in enumerate(self.codes)}
        modes = {mode.lower(): place for place, mode in enumerate(self.modes)}
        return modes | {text.lower(): self.modes.index(mode) for text, mode in self.texts.items()}


def texts_of(cells: Iterable[object]) -> list[str]:
    """The different texts of a column, in the order of their first row; missing cells are left out."""
    # Unique before the loop in Python: a column holds few texts and many rows.
    found = dict.fromkeys(cells)
    return [text for text in dict.fromkeys(str(cell).strip() for cell in found if cell == cell) if not is_missing(text)]


def text_map(
    column: str, texts: Sequence[str], given: Mapping[object, object] | Sequence[object] | None, source: str
) -> TextMap:
    """The map of a column's texts to numbers.

    Args:
        column: its name.
        texts: that occur in it, in all files.
        given: numbers or modes of the texts, or texts that get a column each, by the key ``text``; None: to be guessed.
        source: of the file, for messages.

    Raises:
        BadFile: there are too many texts to be modes, or they are numbers with a unit.
    """
    if isinstance(given, Mapping):
        if any(isinstance(mode, str) for mode in given.values()):
            texts_to_modes = {str(text): str(mode) for text, mode in given.items()}
            modes = tuple(dict.fromkeys(texts_to_modes.values()))
            return TextMap(column, {}, modes, {text: m for text, m in texts_to_modes.items() if text != m})
        return TextMap(column, {str(text): float(str(code)) for text, code in given.items()})
    if given is not None:
        return TextMap(column, {}, tuple(map(str, given)))
    if _are_quantities(texts):
        raise BadFile(
            source,
            f"column {column!r}: a unit in each cell ({texts[0][:30]!r}); write it once, behind the name or in a line "
            f"under it, and numbers alone in the cells, or leave the column out with 'ignore=[{column}]'",
        )
    lowered = {text.lower() for text in texts}
    for zero, one in SWITCHES:
        if lowered <= {zero, one}:
            return TextMap(column, {zero: 0.0, one: 1.0})
    if len(texts) <= 2:
        return TextMap(column, {text: float(number) for number, text in enumerate(texts)})
    if len(texts) > MOST_MODES:
        raise BadFile(
            source,
            f"column {column!r}: {len(texts)} different texts (such as {texts[0][:30]!r}, {texts[1][:30]!r}) are no "
            f"modes; leave it out with 'ignore=[{column}]', or give text={{...}}{_date_hint(texts)}",
        )
    return TextMap(column, {}, tuple(texts))


def to_columns(cells: np.ndarray, plan: TextMap, lines: np.ndarray, source: str) -> np.ndarray:
    """Numbers (T, columns) of a column of text (T,); NaN where a cell is missing.

    Raises:
        BadFile: a text is not in the map; with its lines.
    """
    places = plan.places()
    unique = {cell: _code(cell, places) for cell in dict.fromkeys(cells.tolist())}
    codes = np.array([unique[cell] for cell in cells.tolist()], dtype=int)
    if (unknown := codes == -2).any():
        text, known = str(cells[unknown][0])[:40], plan.modes or plan.codes
        raise BadFile(
            source,
            f"{line_ranges(lines[unknown].tolist())}, column {plan.column!r}: {text!r} is none of the texts "
            f"{names_and_rest(map(repr, known), MOST_MODES)}; {_way_out(plan, text)}",
        )
    missing = codes == -1
    if plan.modes:
        values = (codes[:, None] == np.arange(len(plan.modes))).astype(float)
    else:
        values = np.array(list(plan.codes.values()))[codes][:, None].astype(float)
    values[missing] = np.nan
    return values


def _date_hint(texts: Sequence[str]) -> str:
    """What is said of texts that may be dates of an unknown form: each has three numbers."""
    dates = all(len(re.findall(r"\d+", text)) >= 3 for text in texts)
    return "; if it is the time, say how it is written: date_format='%d.%m.%Y %H:%M:%S'" if dates else ""


def _way_out(plan: TextMap, text: str) -> str:
    """How a text that a map does not have is given to it."""
    if plan.modes:
        return f"'text={{{plan.column}: {{{text}: <one of these>}}}}' takes it for one of these modes"
    return f"'text={{{plan.column}: {{{text}: <number>}}}}' gives its number"


def _are_quantities(texts: Sequence[str]) -> bool:
    """Whether all texts are numbers with a unit, such as ``1.5 bar`` and ``5%``; 3A and 3B are names of modes."""
    found = [QUANTITY.fullmatch(text) for text in texts]
    parts = [(match["number"], match["unit"]) for match in found if match]
    numbers, units = {number for number, _ in parts}, {unit for _, unit in parts}
    return 0 < len(parts) == len(texts) and len(numbers) > len(units) and all(map(known_unit, units))


def _code(cell: object, places: dict[str, int]) -> int:
    """Place of a cell's text among the known ones; -1 for a missing cell, -2 for an unknown text."""
    if cell is None or cell != cell or is_missing(str(cell)):
        return -1
    text = str(cell).strip().lower()
    # A number in a column of text may be written 1 or 1.0.
    return places.get(text, places.get(text.removesuffix(".0"), -2))
