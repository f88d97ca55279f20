"""Reads measurements of ASAM MDF 2 to 4 (.mf4, .mdf, .dat) with asammdf, channels of all rates as one table.

asammdf is an extra (``mdf``) because of its licence, LGPL.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.columns import chosen_parts
from surrogate_modeling.importing.readers.resampling import Channel, on_one_grid

if TYPE_CHECKING:
    import asammdf

# Kind of a master channel in version 4 that counts seconds; others count angles, metres or rows.
TIME_MASTER = 1


@dataclass
class Read:
    """Channels of a file, those of one sample, and what was left out: reason -> names."""

    channels: list[Channel] = field(default_factory=list)
    single: dict[str, Channel] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    invalid: int = 0


def read_mdf(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read the channels of a measurement on the rows of the densest one, or on an even grid (``options.step``).

    A channel of one sample is a parameter. Texts and whole numbers hold until the next sample, others are interpolated.

    Raises:
        BadFile: asammdf is not installed, the file cannot be read, or has no channel over time.
    """
    source = options.source(path)
    try:
        import asammdf
    except ImportError:
        raise BadFile(
            source, "reading MDF needs asammdf: pdm sync -G mdf, or pip install 'surrogate-modeling[mdf]'"
        ) from None
    read = Read()
    with _quiet(source), asammdf.MDF(path) as file:
        start = str(file.header.start_time)
        _read(file, read, options.parts, source)
    if not read.channels:
        raise BadFile(source, f"no channel with two samples or more over time{_told(read.left_out)}")
    channels = _unlike(read.channels)
    frame, remarks = on_one_grid(channels, options.step, source)
    renamed = [new.name for new, old in zip(channels, read.channels, strict=True) if new.name != old.name]
    notes = [
        *remarks,
        f"recorded from {start} on",
        *([f"channels of one name are told apart: {', '.join(renamed)}"] if renamed else []),
        *([f"{read.invalid} samples that the file marks as invalid are taken as empty"] if read.invalid else []),
        *(f"left out, {reason}: {', '.join(names)}" for reason, names in read.left_out.items()),
    ]
    single = read.single.values()
    return [
        RawTable(
            source, frame,
            units={"time": "s", **{channel.name: channel.unit for channel in channels if channel.unit}},
            parameters={channel.name: float(channel.values[0]) for channel in single},
            parameter_units={channel.name: channel.unit for channel in single if channel.unit},
            time="time", remarks=tuple(notes),
        )
    ]  # fmt: skip


@contextmanager
def _quiet(source: str) -> Iterator[None]:
    """Turn what asammdf raises about a broken file into one message; its half-made objects complain no more."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    except BadFile:
        raise
    except Exception as error:  # asammdf raises errors of struct, zlib, the file and its own
        reason = " ".join(str(error).split()) or type(error).__name__
        error.__traceback__ = None
        raise BadFile(source, f"no MDF file that can be read ({reason}); record or export it again") from None
    finally:
        gc.collect()
        sys.unraisablehook = hook


def _read(file: asammdf.MDF, read: Read, parts: Sequence[str], source: str) -> None:
    names = [signal.name for signal in file.iter_channels(copy_master=False)] if parts else []
    wanted = set(chosen_parts(names, parts, source, "channels"))
    for signal in file.iter_channels():
        if wanted and signal.name not in wanted:
            continue
        reason = _unusable(file, signal)
        if reason:
            read.left_out.setdefault(reason, []).append(repr(signal.name))
            continue
        samples = np.asarray(signal.samples)
        if samples.dtype.kind in "SU":
            samples = np.array([_text(sample) for sample in samples.tolist()], dtype=object)
        whole = samples.dtype.kind in "biu"
        if signal.invalidation_bits is not None and (bad := np.asarray(signal.invalidation_bits, bool)).any():
            read.invalid += int(bad.sum())
            samples = samples.astype(object if samples.dtype == object else float)
            samples[bad] = None if samples.dtype == object else np.nan
        channel = Channel(signal.name, np.asarray(signal.timestamps, float), samples, signal.unit or "", whole)
        if len(samples) > 1:
            read.channels.append(channel)
        elif samples.dtype == object:
            read.left_out.setdefault("texts of one sample", []).append(repr(signal.name))
        else:
            read.single[signal.name] = channel


def _unusable(file: asammdf.MDF, signal: asammdf.Signal) -> str:
    """Why a channel cannot be a column; empty where it can."""
    samples = np.asarray(signal.samples)
    master = file.masters_db.get(signal.group_index)
    if master is None:
        return "without time"
    sync = getattr(file.groups[signal.group_index].channels[master], "sync_type", TIME_MASTER)
    if sync != TIME_MASTER:
        return "over an angle, a distance or a count instead of time"
    if not len(samples):
        return "without samples"
    if samples.dtype.names:
        return "raw frames or structures, which have to be decoded first (asammdf: extract_bus_logging)"
    return "" if samples.ndim == 1 and samples.dtype.kind in "biufSU" else "arrays, complex numbers or bytes"


def _text(sample: bytes | str) -> str:
    return (sample.decode("utf-8", "replace") if isinstance(sample, bytes) else sample).strip("\0 ")


def _unlike(channels: Sequence[Channel]) -> list[Channel]:
    """Channels of one name with a number behind it, from the second on."""
    seen: Counter[str] = Counter()
    unlike = []
    for channel in channels:
        seen[channel.name] += 1
        count = seen[channel.name]
        unlike.append(channel if count == 1 else replace(channel, name=f"{channel.name} #{count}"))
    return unlike


def _told(left_out: dict[str, list[str]]) -> str:
    return "".join(f"; left out, {reason}: {names_and_rest(names, 10)}" for reason, names in left_out.items())
