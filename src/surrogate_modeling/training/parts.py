"""Parts of an epoch: of many rows, windows are drawn at random from some at a time, which are held in memory.

A window drawn from anywhere in a file that the memory does not hold is one read of the disk. So pieces of neighbouring
windows are put in a random order, so many of them make a part that memory holds with ease, and the windows of a part
are shuffled; while its batches are used, the rows of the next are read. Every epoch has other parts.

Shape letters: W windows, B windows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from surrogate_modeling.training.windows import GAP_BYTES, HeldRows, WindowDataset

# Rows that the windows of a part lie on: two parts are held at once, three where the next needs more room. Datasets up
# to that are one part.
PART_BYTES = 2**27
# Neighbouring rows, which are read together: hundreds of pieces of short windows make a part nearly as mixed as all.
PIECE_BYTES = 2**19
# A piece of long windows is so many times as long, as it ends a window later than its last window begins.
PIECE_WINDOWS = 4


class Drawn(NamedTuple):
    """Windows of an epoch (W,), and whether each was drawn from the first windows of cases (W,)."""

    windows: Tensor
    is_first: Tensor


def part_length(windows: WindowDataset, count: int, first_share: float, batch_size: int) -> int:
    """Windows of a part, whole batches; the last part may have fewer.

    The same for rows in memory and in a file: processes that train together, one of which has less memory, go through
    one order.

    Args:
        windows: that are drawn from.
        count: windows of an epoch.
        first_share: share of them that are first windows of cases.
        batch_size: windows of all processes together.
    """
    firsts = round(count * first_share)
    needed = min(windows.nbytes, (count - firsts) * (windows.window_bytes + GAP_BYTES))
    needed += min(firsts, len(windows.first_windows)) * windows.window_bytes
    parts = -(-needed // PART_BYTES)
    return -(-count // (parts * batch_size)) * batch_size


def shuffled_in_parts(windows: WindowDataset, drawn: Drawn | None, length: int, random: torch.Generator) -> Tensor:
    """Order of an epoch (W,).

    Args:
        windows: that were drawn from.
        drawn: None: every one once.
        length: as :func:`part_length` gives it.
        random: generator of the order.
    """
    piece_bytes = max(PIECE_BYTES, PIECE_WINDOWS * windows.window_bytes)
    per_piece = max(1, round(len(windows) * piece_bytes / windows.nbytes))
    pieces = torch.randperm(-(-len(windows) // per_piece), generator=random)
    if drawn is None:
        order = (pieces[:, None] * per_piece + torch.arange(per_piece)).flatten()
        order = order[order < len(windows)]
    else:
        place = torch.empty_like(pieces)
        place[pieces] = torch.arange(len(pieces))
        # First windows are few, each drawn many times: by their pieces they would fill whole parts.
        anywhere = torch.rand(len(drawn.windows), generator=random) * len(pieces)
        key = torch.where(drawn.is_first, anywhere, place[drawn.windows // per_piece].float())
        order = drawn.windows[key.argsort(stable=True)]
    for part in order.split(length):
        part.copy_(part[torch.randperm(len(part), generator=random)])
    return order


def held_batches(
    windows: WindowDataset, order: Tensor, length: int, batch_size: int
) -> Iterator[tuple[Tensor, HeldRows | None]]:
    """Batches (B,) of an order, with the rows to gather them from; None: from all rows.

    Args:
        windows: whose numbers these are.
        order: windows of an epoch (W,).
        length: as :func:`part_length` gives it.
        batch_size: B; the last batch may have fewer.
    """
    if windows.table is None:
        for batch in order.split(batch_size):
            yield batch, None
        return
    parts, spare = order.split(length), None
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(windows.hold, parts[0])
        for number, part in enumerate(parts, 1):
            held = reading.result()
            if number < len(parts):
                reading = reader.submit(windows.hold, parts[number], spare)
            for batch in part.split(batch_size):
                yield batch, held
            spare = held
