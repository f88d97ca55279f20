"""Dates in text as timestamps: the format that reads them, and refusals where two do and differ."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from surrogate_modeling.cases.problems import line_ranges
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.importing.cells import is_missing, western_clock
from surrogate_modeling.importing.raw_table import BadFile

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y",
    "%Y年%m月%d日", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%Y%m%d",
)  # fmt: skip
CLOCKS = (" %H:%M:%S.%f", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
# Share of the cells that a format of dates must read.
USUAL_SHARE = 0.5
# Rows that decide which format of dates it is.
SAMPLE_ROWS = 2000
# A letter or mark between two numbers in a format, which is replaced in the cells as well.
BETWEEN = r"(?<=%[dmyYHMSfIj]){}(?=%[dmyYHMSfIj])"
# As :func:`western_clock` changes it in the cells.
JAPANESE_FORM = r"\s*%H時(%M分)?(%S(?:\.%f)?秒)?"


@dataclass
class Dates:
    """Reads the dates of one column, block by block.

    Attributes:
        name: of the column.
        date_format: found in the first block where there is none.
        source: of the file, for messages.
        remarks: what the user should know.
    """

    name: str
    date_format: str | None
    source: str
    remarks: list[str] = field(default_factory=list)
    # Formats that give the same steps so far -> the first date, as each reads it.
    _tied: dict[str, pd.Timestamp] = field(default_factory=dict)

    def read(self, column: pd.Series, place: tuple[np.ndarray, str]) -> pd.Series:
        """Timestamps (T,) without a zone, those of a zone in UTC; none where a cell is missing.

        Args:
            column: a block of it.
            place: of each row (T,), and what it is called, line or row.

        Raises:
            BadFile: a cell is no date, or dates can be read in two ways.
        """
        if column.dtype.kind == "M":
            return column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        text = _uniform(text_of(column))
        if self.date_format is None:
            self.date_format = self._guessed_format(text.dropna().iloc[:SAMPLE_ROWS])
        dates = _parsed(text, self.date_format, self.source)
        self._refuse_ambiguous(dates, text, place)
        refuse_unread(dates.isna() & text.notna(), column, place, (self.name, self.source))
        return dates

    def _refuse_ambiguous(self, dates: pd.Series, text: pd.Series, place: tuple[np.ndarray, str]) -> None:
        """Refuse dates that another format, which gave the same steps before, reads with other steps.

        Raises:
            BadFile: with the first row that they read differently.
        """
        lines, word = place
        for form, first in [*self._tied.items()]:
            if form == self.date_format:
                continue
            other = _parsed(text, form, self.source)
            if (dates.notna() & other.isna()).any():
                # The other format is not that of this file.
                del self._tied[form]
                continue
            same = (dates - self._tied[str(self.date_format)]).eq(other - first) | other.isna()
            if not same.all():
                row = int(np.argmin(same.to_numpy()))
                how = f"can be read as {self.date_format} or {form}"
                if dates.isna().iloc[row]:
                    how = f"is {form}, and no {self.date_format} as the dates before may be"
                cell = f"{word} {lines[row]}, column {self.name!r}: {text.iloc[row]!r}"
                raise BadFile(self.source, f"{cell} {how}; give date_format=...")

    def _guessed_format(self, sample: pd.Series) -> str:
        """The format of dates.

        Raises:
            BadFile: none fits, or two that give different times.
        """
        found: dict[str, pd.Series] = {}
        for form in ("ISO8601", *("".join(parts) for parts in itertools.product(DATES, CLOCKS))):
            dates = _parsed(sample, form, self.source)
            # A wrong cell is an error of its row.
            if len(dates) and dates.notna().mean() >= USUAL_SHARE:
                found[form] = dates
            if form in found and form == "ISO8601":
                return form
        if not found:
            example = sample.iloc[0] if len(sample) else ""
            raise BadFile(
                self.source,
                f"column {self.name!r}: {example!r} is no date of a known form; give date_format=..., e.g. "
                "'%d.%m.%Y %H:%M:%S'",
            )
        most = max(dates.notna().sum() for dates in found.values())
        found = {form: dates for form, dates in found.items() if dates.notna().sum() == most}
        first, *others = found
        steps = found[first].diff()
        if different := [form for form in others if not found[form].diff().equals(steps)]:
            raise BadFile(
                self.source,
                f"column {self.name!r}: {sample.iloc[0]!r} can be read as {first} or {different[0]}; give "
                "date_format=...",
            )
        if others:
            self._tied = {form: dates.dropna().iloc[0] for form, dates in found.items()}
            self.remarks.append(f"dates such as {sample.iloc[0]!r} are read as {first}; date_format=... says otherwise")
        return first


def refuse_unread(
    unread: pd.Series | np.ndarray, column: pd.Series, place: tuple[np.ndarray, str], where: tuple[str, str]
) -> None:
    """Refuse cells that are no time.

    Args:
        unread: which these are (T,).
        column: cells.
        place: of each row (T,), and what it is called, line or row.
        where: name of the column, and the file.

    Raises:
        BadFile: there are any.
    """
    which = np.asarray(unread, dtype=bool)
    if which.any():
        lines, word = place
        at = line_ranges(lines[which].tolist()).replace("line", word, 1)
        cell = str(column[which].iloc[0])[:40]
        raise BadFile(where[1], f"{at}, column {where[0]!r}: {cell!r} is no time as in the other rows")


def text_of(column: pd.Series) -> pd.Series:
    """Cells as text in plain letters and digits, none where they are missing."""
    return column.map(lambda cell: _plain(str(cell)) if pd.notna(cell) else None).astype("string")


def reads(column: pd.Series, date_format: str, source: str) -> bool:
    """Whether a format reads most of the cells of a column of text.

    Raises:
        BadFile: the format is none.
    """
    if column.dtype.kind in "iufb" or is_missing(date_format):
        return False
    text = text_of(column).dropna().iloc[:SAMPLE_ROWS]
    return bool(len(text)) and bool(_parsed(_uniform(text), date_format, source).notna().mean() >= USUAL_SHARE)


def _parsed(text: pd.Series, form: str, source: str) -> pd.Series:
    zoned = form == "ISO8601" or "%z" in form.lower()
    plain = re.sub(BETWEEN.format(","), ".", re.sub(BETWEEN.format("T"), " ", form))
    plain = re.sub(JAPANESE_FORM, _western_form, plain).strip()
    try:
        dates = pd.to_datetime(text, format=plain, errors="coerce", utc=zoned)
    except (ValueError, re.error) as error:
        reason = "a directive stands in it twice" if isinstance(error, re.error) else error
        raise BadFile(source, f"date_format={form}: {reason}; e.g. '%d.%m.%Y %H:%M:%S'") from None
    return dates.dt.tz_localize(None) if zoned else dates


def _uniform(text: pd.Series) -> pd.Series:
    """Dates as text (T,) in which marks and blanks are the same in all rows."""
    text = text.str.strip().str.replace(r"(?<=\d),(?=\d)", ".", regex=True)
    text = text.str.replace(r"(?<=\d)T(?=\d)", " ", regex=True)
    text = text.str.replace(r"\s+", " ", regex=True)
    # Tools leave out a fraction that is zero.
    clocked = text.str.contains(r":\d{1,2}\.\d+", na=False)
    if clocked.any():
        whole = text.str.replace(r"(:\d{2}:\d{2})(?=$|[ +Z-])", r"\1.0", regex=True)
        text = text.where(clocked | text.isna(), whole)
    return text


def _western_form(found: re.Match[str]) -> str:
    second = f":{found[2][:-1]}" if found[2] else ""
    return f" %H:{'%M' if found[1] else '00'}{second}"


def _plain(cell: str) -> str | None:
    return None if is_missing(cell) else western_clock(narrow(cell))
