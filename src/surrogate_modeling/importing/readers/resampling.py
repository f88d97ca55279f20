"""Channels that were recorded at times of their own, put on the rows of one table.

Shape letters: N samples of a channel, K rows of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.readers.columns import refuse_duplicates

if TYPE_CHECKING:
    import pandas as pd

# A clock's rounding must not lose the last row of a grid.
GRID_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Channel:
    """Samples of one quantity.

    Attributes:
        name: of it.
        time: of the samples (N,) [s].
        values: (N,), numbers or texts.
        unit: of the values.
        whole: whether the file holds whole numbers, of which samples without a value have made floats.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    unit: str = ""
    whole: bool = False

    @property
    def step(self) -> float:
        """Usual time between two samples [s]; infinite for a single one."""
        return float(np.median(np.diff(self.time))) if len(self.time) > 1 else np.inf

    @property
    def held(self) -> bool:
        """Whether a value holds until the next one: whole numbers and texts are states, floats are samples."""
        return self.whole or self.values.dtype.kind != "f"

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Values (K,) at some times, interpolated linearly, or the last one before where they hold."""
        if self.held:
            before = np.searchsorted(self.time, rows, side="right") - 1
            values = self.values[np.clip(before, 0, None)]
            return values if values.dtype == object else values.astype(float)
        return np.interp(rows, self.time, self.values)


def on_one_grid(
    channels: Sequence[Channel], step: float | None, source: str, time_name: str = "time"
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put channels on the rows of the one that was sampled most densely, or on an even grid.

    Rows are kept where every channel has values: from the last first sample on, to one usual step of each channel
    after its last sample.

    Args:
        channels: at least one, each of two samples or more.
        step: of an even grid [s]; None for the rows of the densest channel.
        source: for messages.
        time_name: of the time column.

    Returns:
        The table, time first, and what was done in one sentence; none if all channels have the same times.

    Raises:
        BadFile: times that decrease, channels without a common time, or two of one name.
    """
    import pandas as pd

    refuse_duplicates([time_name, *(channel.name for channel in channels)], source)
    for channel in channels:
        if (np.diff(channel.time) < 0).any():
            raise BadFile(source, f"channel {channel.name!r}: its time decreases; record or export it again")
    densest = min(channels, key=lambda channel: channel.step)
    alike = all(np.array_equal(channel.time, densest.time) for channel in channels)
    if alike and step is None:
        values = (c.values if c.values.dtype == object else c.values.astype(float) for c in channels)
        names = (channel.name for channel in channels)
        return pd.DataFrame({time_name: densest.time.astype(float), **dict(zip(names, values, strict=True))}), ()
    start, end = _common_time(channels, source)
    if step is None:
        rows = densest.time[(densest.time >= start) & (densest.time <= end)].astype(float)
    else:
        rows = start + step * np.arange(int(np.floor((end - start) / step + GRID_TOLERANCE)) + 1)
    if len(rows) < 2:
        raise BadFile(
            source, f"the channels have values together from {start:g} to {end:g} s only; choose some of them"
        )
    table = {time_name: rows} | {channel.name: channel.at(rows) for channel in channels}
    return pd.DataFrame(table), (_remark(channels, densest, rows, step),)


def _common_time(channels: Sequence[Channel], source: str) -> tuple[float, float]:
    late = max(channels, key=lambda channel: channel.time[0])
    # The last sample of a slow channel stands for the time up to its next one.
    ends = [channel.time[-1] + channel.step for channel in channels]
    early = channels[int(np.argmin(ends))]
    start, end = float(late.time[0]), min(min(ends), max(float(channel.time[-1]) for channel in channels))
    if end <= start:
        raise BadFile(
            source,
            f"channel {early.name!r} ends at {early.time[-1]:g} s before {late.name!r} begins at {start:g} s; "
            "choose channels of one time with parts=[...]",
        )
    return start, end


def _remark(channels: Sequence[Channel], densest: Channel, rows: np.ndarray, step: float | None) -> str:
    steps = sorted({float(f"{channel.step:.3g}") for channel in channels})
    several = f"steps of {', '.join(f'{value:g}' for value in steps[:6])}{' ...' if len(steps) > 6 else ''} s"
    where = f"a grid of {step:g} s" if step is not None else f"the rows of the densest channel, {densest.name!r}"
    held = sum(channel.held for channel in channels)
    return (
        f"{len(channels)} channels with {several} are put on {where}, from {rows[0]:g} to {rows[-1]:g} s, where all "
        f"have values: {len(channels) - held} interpolated linearly, {held} held (whole numbers and texts)"
    )
