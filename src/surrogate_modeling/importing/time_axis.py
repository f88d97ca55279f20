"""Find the time column of a table and turn it into seconds.

Time may be a number in any unit, a date with a time of day (in one column or two), or a time of day alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.full_width import narrow
from surrogate_modeling.importing.cells import CLOCK, is_date, is_missing, is_number, western_clock
from surrogate_modeling.importing.dates import Dates, refuse_unread, text_of
from surrogate_modeling.importing.raw_table import BadFile

_TIME_NAMES = """
time t zeit temps tiempo tempo timestamp time_stamp datetime date_time date/time date timestamps
seconds sec elapsed elapsed_time elapsedtime simtime sim_time t_s time_s time_ms zeitstempel 時間
時刻 日時 タイムスタンプ 经过时间 时间
"""
TIME_NAMES = frozenset(_TIME_NAMES.split())
DATE_NAMES = frozenset(("date", "datum", "day", "日付", "年月日", "日期", "fecha"))
CLOCK_NAMES = frozenset(("time", "zeit", "uhrzeit", "clock", "時刻", "時間", "时间", "hora", "time of day"))
# Seconds that are not those of a run but counted from 1970.
EPOCH_SECONDS = 1e8
DAY, HOUR = 86400.0, 3600.0
# Days as Excel stores dates, from 1968 to 2119; those from 1970 are fewer.
EXCEL_DAYS = (25_000.0, 80_000.0)
EXCEL_ORIGIN = pd.Timestamp("1899-12-30")
# Numbers in columns of these names are dates rather than seconds.
STAMP_NAMES = DATE_NAMES | frozenset(
    ("timestamp", "time_stamp", "datetime", "date_time", "date/time", "timestamps", "zeitstempel", "日時", "時刻",
     "タイムスタンプ")
)  # fmt: skip


def find_time(frame: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the time column, or of a date and a time of day; None where no column looks like time.

    Args:
        frame: the table.
        names: of its columns without units.
    """
    lowered = [narrow(name).strip().lower() for name in names]
    kinds = [_kind(frame.iloc[:, place]) for place in range(len(names))]
    dates = [n for n, low, kind in zip(names, lowered, kinds, strict=True) if kind == "date" and low in DATE_NAMES]
    clocks = [n for n, low, kind in zip(names, lowered, kinds, strict=True) if kind == "clock" and low in CLOCK_NAMES]
    if dates and clocks:
        return dates[0], clocks[0]
    for wanted in (("time", "number", "date", "clock"), ("date", "date", ""), ("clock", "clock", "")):
        found = [
            name
            for name, low, kind in zip(names, lowered, kinds, strict=True)
            if kind in wanted[1:] and (wanted[0] != "time" or low in TIME_NAMES)
        ]
        if found:
            # A single letter may be a temperature.
            return (next((name for name in found if len(name.strip()) > 1), found[0]),)
    for place, name in enumerate(names):
        column = frame.iloc[:, place]
        if column.dtype.kind in "iufb" and _rises(column.to_numpy(dtype=float)):
            return (name,)
    return None


def _kind(column: pd.Series) -> str:
    if column.dtype.kind in "Mm":
        return "date"
    if column.dtype.kind in "iufb":
        return "number"
    cells = [cell for cell in column.iloc[:50] if not is_missing(str(cell))]
    # A wrong cell among times is an error of its row.
    least = len(cells) / 2 + 0.1
    if cells and all(hasattr(cell, "isoformat") for cell in cells):
        return "clock" if all(hasattr(cell, "hour") and not hasattr(cell, "year") for cell in cells) else "date"
    if sum(CLOCK.fullmatch(western_clock(narrow(str(cell))).strip()) is not None for cell in cells) >= least:
        return "clock"
    if sum(is_date(str(cell)) for cell in cells) >= least:
        return "date"
    return "number" if sum(is_number(str(cell)) for cell in cells) >= least else "text"


def _rises(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool(len(steps) and np.isfinite(values).all() and (steps >= 0).all() and values[-1] > values[0])


@dataclass
class Clock:
    """Turns the time cells of one file, block by block, into seconds.

    Attributes:
        names: of the time column, or of date and time of day, as in the frame.
        unit: of numbers.
        date_format: of dates; None: found in the first block.
        source: of the file, for messages.
        typed: whether text is no number, however it is written.
        start: date and time of the first row; empty where time is a number of the run.
        remarks: what the user should know.
    """

    names: tuple[str, ...]
    unit: str
    date_format: str | None
    source: str
    typed: bool = False
    start: str = ""
    remarks: list[str] = field(default_factory=list)
    _origin: pd.Timestamp | float | None = None
    _days: float = 0.0
    _last: float = 0.0
    _dates: Dates = field(init=False)

    def __post_init__(self) -> None:
        self._dates = Dates(self.names[0], self.date_format, self.source, self.remarks)

    def seconds(self, frame: pd.DataFrame, lines: np.ndarray, word: str) -> np.ndarray:
        """Seconds (T,) of a block, NaN where the cell is missing; dates count from the first row of the file.

        Args:
            frame: the block.
            lines: place of each row (T,).
            word: what a place is called, line or row.

        Raises:
            BadFile: a cell is no time, or dates can be read in two ways.
        """
        columns = [frame[name] for name in self.names]
        kinds = [_kind(column) for column in columns]
        place = (lines, word)
        if len(columns) == 1 and kinds[0] == "number":
            values = pd.to_numeric(columns[0], errors="coerce").to_numpy(dtype=float)
            if columns[0].dtype.kind == "O":
                filled = ~columns[0].map(lambda cell: cell is None or is_missing(str(cell))).to_numpy(dtype=bool)
                texts = columns[0].map(lambda cell: self.typed and isinstance(cell, str)).to_numpy(dtype=bool)
                refuse_unread((np.isnan(values) | texts) & filled, columns[0], place, (self.names[0], self.source))
            return self._numbers(values)
        if len(columns) == 1 and kinds[0] == "clock":
            return self._time_of_day(columns[0], place)
        if len(columns) == 1:
            dates = self._dates.read(columns[0], place)
        elif columns[0].dtype.kind == "M" or kinds[0] == "date":
            joined = text_of(columns[0]).str.replace(r" 00:00:00$", "", regex=True) + " " + text_of(columns[1])
            dates = self._dates.read(joined, place)
        else:
            raise BadFile(self.source, f"columns {', '.join(map(repr, self.names))}: not a date and a time of day")
        if dates.isna().all():
            return np.full(len(frame), np.nan)
        if self._origin is None:
            first: pd.Timestamp = dates.dropna().iloc[0]
            self._origin, self.start = first, first.isoformat()
        return ((dates - self._origin) / pd.Timedelta(1, "ns")).to_numpy(dtype=float) * 1e-9

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        try:
            factor, _ = conversion(self.unit, "s")
        except UnitError as error:
            raise BadFile(
                self.source, f"column {self.names[0]!r}: {error}; give time_unit=s, ms, us, min, h or d"
            ) from None
        finite = values[np.isfinite(values)]
        if factor == DAY and len(finite) and EXCEL_DAYS[0] <= (self._origin or finite[0]) <= EXCEL_DAYS[1]:
            return self._excel_days(values, finite[0])
        # A division by 1000 is exact to the last digit where a product with 0.001 is not.
        inverse = round(1 / factor) if factor < 1 else 0
        seconds = values / inverse if inverse and abs(inverse * factor - 1) < 1e-12 else values * factor
        finite = seconds[np.isfinite(seconds)]
        if self._origin is None and len(finite):
            epoch = finite[0] > EPOCH_SECONDS
            self._origin = float(finite[0]) if epoch else 0.0
            self.start = pd.Timestamp(finite[0], unit="s").isoformat() if epoch else ""
        return seconds - self._origin if self._origin else seconds

    def _excel_days(self, values: np.ndarray, first: float) -> np.ndarray:
        """Seconds from the first row; a day of Excel resolves less than a microsecond."""
        if self._origin is None:
            self._origin = float(first)
            self.start = (EXCEL_ORIGIN + pd.Timedelta(self._origin, "D")).round("ms").isoformat()
        return np.round((values - self._origin) * DAY, 6)

    def _time_of_day(self, column: pd.Series, place: tuple[np.ndarray, str]) -> np.ndarray:
        """Seconds from the first row of times of day; each step back is a midnight."""
        text = text_of(column).str.strip().str.replace(",", ".")
        seconds = _seconds_of_day(text)
        refuse_unread(np.isnan(seconds) & text.notna(), column, place, (self.names[0], self.source))
        for row in np.flatnonzero(np.isfinite(seconds)):
            if seconds[row] + self._days < self._last - DAY / 2:
                self._days += DAY
            seconds[row] += self._days
            self._last = seconds[row]
        if self._origin is None and len(found := seconds[np.isfinite(seconds)]):
            self._origin = float(found[0])
            self.start = str(text[np.flatnonzero(np.isfinite(seconds))[0]])
        return seconds - (self._origin or 0.0)


def _seconds_of_day(text: pd.Series) -> np.ndarray:
    """Seconds (T,) from midnight of times of day, by 24 hours or by 12 with AM and PM; NaN for any other text."""
    half = text.str.extract(r"([AaPp])[Mm]$", expand=False).str.lower()
    clock = text.str.replace(r"\s*[AaPp][Mm]$", "", regex=True).str.replace(r"^(\d+:\d+)$", r"\1:00", regex=True)
    seconds = (pd.to_timedelta(clock, errors="coerce") / pd.Timedelta(1, "ns")).to_numpy(dtype=float) * 1e-9
    hours = seconds // HOUR
    halved = half.notna().to_numpy()
    seconds[halved & ((hours < 1) | (hours > 12))] = np.nan
    seconds[halved & (hours == 12)] -= DAY / 2
    seconds[(half == "p").fillna(False).to_numpy(dtype=bool)] += DAY / 2
    return seconds


def time_unit_of(name: str, unit: str | None, values: np.ndarray | None = None) -> tuple[str, bool]:
    """Unit of a numeric time column, and whether it is a guess.

    Args:
        name: of the column, which may end in its unit: ``time_ms``.
        unit: given by key or file.
        values: times of the first rows, which tell the unit of times counted from 1970, and days of Excel.
    """
    if unit:
        return unit, False
    first = float(values[0]) if values is not None and len(values) else 0.0
    plain = narrow(name).strip().lower()
    if plain in STAMP_NAMES and EXCEL_DAYS[0] <= first <= EXCEL_DAYS[1]:
        return "d", True
    for epoch_unit, factor in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if EPOCH_SECONDS * factor * 10 < first < EPOCH_SECONDS * factor * 100:
            return epoch_unit, True
    found = re.fullmatch(r".*[_ ](s|ms|us|min|h)", plain)
    return (found[1], True) if found else ("s", True)
