"""Columns of other libraries as columns of a raw table: numbers as float64, text and dates as text."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.raw_table import BadFile

if TYPE_CHECKING:
    import pandas as pd

# Names of time, in lower case, and as it is written.
TIME_WORDS, TIME_LETTER = ("time", "zeit", "timestamp", "時間", "時刻"), "t"


def as_columns(frame: pd.DataFrame, source: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Convert every column to float64 or, where it holds text or dates, to object.

    Booleans become 0 and 1, lengths of time seconds, dates and times of day text as in ``2024-05-01 12:00:00.5``; cells
    without a value become NaN, or None among texts.

    Args:
        frame: of any types of columns; their names are made text.
        source: for messages.

    Returns:
        The table, and the units that follow from the types of its columns.

    Raises:
        BadFile: a column holds lists, records or bytes, or two columns have one name.
    """
    import pandas as pd

    names = [str(name) for name in frame.columns]
    refuse_duplicates(names, source)
    units: dict[str, str] = {}
    columns = {}
    for position, name in enumerate(names):
        column = frame.iloc[:, position]
        seconds = _seconds(column)
        if seconds is not None:
            columns[name], units[name] = seconds, "s"
        else:
            columns[name] = _converted(column, f"column {name!r}", source)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame))), units


def _seconds(column: pd.Series) -> np.ndarray | None:
    """Seconds of a column of lengths of time; None for any other."""
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(float)
    if column.dtype != object:
        return None
    filled = [value for value in column if not _empty(value)]
    # Times of day alone may belong to a date in another column; among lengths they are lengths of less than a day.
    lengths = any(isinstance(value, datetime.timedelta) for value in filled)
    if not lengths or not all(isinstance(value, datetime.time | datetime.timedelta) for value in filled):
        return None
    return pd.to_timedelta(column.map(str, na_action="ignore")).dt.total_seconds().to_numpy(float)


def _converted(column: pd.Series, place: str, source: str) -> np.ndarray:
    import pandas as pd

    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_numeric_dtype(kind):
        if pd.api.types.is_complex_dtype(kind):
            raise BadFile(source, f"{place}: complex numbers; write their real and imaginary parts as two columns")
        return column.to_numpy(dtype=float, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _texts(column, (None if pd.isna(value) else str(value) for value in column))
    cells = [None if _empty(value) else value for value in column]
    filled = [value for value in cells if value is not None]
    if all(isinstance(value, int | float | bool | np.number | np.bool_) for value in filled):
        return np.array([np.nan if value is None else float(value) for value in cells])
    odd = next((value for value in filled if isinstance(value, bytes | list | tuple | dict | set | np.ndarray)), None)
    if odd is not None:
        what = "bytes" if isinstance(odd, bytes) else "lists or records"
        raise BadFile(source, f"{place}: holds {what}, not numbers or text; write one number or text per cell")
    return _texts(column, (_number_or_text(value) for value in cells))


def _texts(column: pd.Series, cells: Iterable[object]) -> np.ndarray:
    texts = np.empty(len(column), dtype=object)
    texts[:] = list(cells)
    return texts


def _number_or_text(value: object) -> object:
    """Decimals and fractions as float, what is neither a number nor text as text."""
    from decimal import Decimal

    if value is None or isinstance(value, str | float | int | bool):
        return value
    return float(value) if isinstance(value, Decimal | np.number) else str(value)


def _empty(value: object) -> bool:
    import pandas as pd

    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def refuse_duplicates(names: Sequence[str], source: str) -> None:
    """Refuse two columns of one name.

    Raises:
        BadFile: naming them.
    """
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        shown = ", ".join(map(repr, twice))
        raise BadFile(source, f"several columns have the name {shown}; give each a name of its own")


def time_among(names: Iterable[str]) -> str | None:
    """The first name whose last part says time in a word, or else is t (T is a temperature); None if none is."""
    parts = {name: name.rpartition("/")[2].strip() for name in names}
    words = [name for name, last in parts.items() if last.lower() in TIME_WORDS]
    return next(iter([*words, *(name for name, last in parts.items() if last == TIME_LETTER)]), None)


def time_in(frame: pd.DataFrame) -> str | None:
    """The column of a table that :func:`time_among` finds; None where it is a time of day with a date beside it."""
    from surrogate_modeling.importing.time_axis import find_time

    name = time_among(frame)
    pair = find_time(frame, list(frame)) if name is not None and frame[name].dtype.kind not in "iuf" else None
    return None if pair and len(pair) > 1 else name


def chosen_parts(available: Sequence[str], wanted: Sequence[str], source: str, kind: str) -> list[str]:
    """The parts of a file that the user asked for, all without a wish.

    Args:
        available: names of the parts.
        wanted: as configured.
        source: for messages.
        kind: what a part is, in the plural.

    Raises:
        BadFile: a part is not there.
    """
    unknown = [part for part in wanted if part not in available]
    if unknown:
        shown = names_and_rest(map(repr, available), 30)
        raise BadFile(source, f"parts: {', '.join(map(repr, unknown))} not among the {kind}: {shown}")
    return [part for part in available if not wanted or part in wanted]
