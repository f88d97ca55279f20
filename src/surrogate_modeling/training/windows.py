"""Windows of cases: their start rows and gathering of batches from one tensor of all rows.

Windows are never copied in full: a batch is one gather from the rows, which stay where the cases were read to, and is
standardised on the way.

Shape letters: N all rows, K held rows, R runs of rows, W windows, B batch, T time, H predicted rows of a window, F
feature (C control, then P predicted).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.networks.unit_latent import unit_numbers, with_unit_numbers
from surrogate_modeling.surrogate.scaling import Standardizer

# To read so much more takes less time than to ask once more.
GAP_BYTES = 2**16
# Room in held rows over what is needed, as the next part of an epoch may need more.
ROOM_FACTOR = 1.1
# Of few and long cases, what is fitted before training sees the first rows of so many, rather than fewer whole ones.
LEAST_CASES = 16


class HeldRows(NamedTuple):
    """Runs of rows that were copied out of all rows, one run after another.

    Attributes:
        rows: (K, F); behind the last run anything may lie.
        firsts: first row of each run, in order, in all rows (R,).
        moves: from a row of a run in all rows to the same row here (R,).
    """

    rows: Tensor
    firsts: Tensor
    moves: Tensor

    def place(self, positions: Tensor) -> Tensor:
        """Where rows at these positions in all rows (B,) are here (B,)."""
        return positions + self.moves[torch.bucketize(positions, self.firsts, right=True) - 1]


class WindowDataset:
    """All windows of some cases: ``rows`` (N, F) in physical units, ``starts`` (W,) the first row of each window.

    Where less than the horizon is left of a case, but at least half of it, the window is kept and its missing rows
    have weight 0; so is the only window of a case shorter than that.

    Args:
        cases: physical units.
        scaling: fitted on the training cases.
        in_len: past rows of a window.
        horizon: predicted rows of a window.
        stride: rows between starts.
        table: the rows that the cases are views of, which are then not copied.
        units: names of units; past windows then have the number of the case's unit as one more column.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        scaling: Standardizer,
        in_len: int,
        horizon: int,
        stride: int = 1,
        table: RowTable | None = None,
        units: Sequence[str] = (),
    ) -> None:
        self.in_len, self.horizon, self.controls = in_len, horizon, len(cases[0].channels.controls)
        # Multiplying takes half the time of dividing, and differs by one rounding.
        self.mean, self.factor = scaling.mean.clone(), scaling.divisor.reciprocal()
        table = table or RowTable.of(cases)
        self.rows, firsts = torch.from_numpy(table.values), [table.first[case.name] for case in cases]
        self.table = table if table.file is not None else None
        self._case_rows = sum(len(case.values) for case in cases)
        lasts = [max(0, len(case.values) - in_len - (horizon + 1) // 2) for case in cases]
        counts = [last // stride + 1 for last in lasts]
        # One number per window, and the sizes of a case once per case: a run has millions of windows.
        self.starts = torch.empty(sum(counts), dtype=torch.int64)
        for part, first in zip(self.starts.split(counts), firsts, strict=True):
            torch.arange(first, first + stride * len(part), stride, out=part)
        self.first_windows = torch.tensor([0, *counts[:-1]]).cumsum(0)
        self.case_ends = torch.tensor([first + len(case.values) for case, first in zip(cases, firsts, strict=True)])
        last_starts = self.starts[self.first_windows + torch.tensor(counts) - 1]
        self.unit_of_case = unit_numbers([case.unit for case in cases], units).float() if units else None
        self.complete = bool((last_starts + in_len + horizon <= self.case_ends).all())
        self._repeat_scaling()

    def to(self, rows: Tensor) -> None:
        """Move the dataset's rows to a device, as a copy; batches are then gathered there."""
        if rows.data_ptr() != self.rows.data_ptr():
            self.table = None
        self.rows = rows
        self.starts, self.first_windows, self.case_ends, self.mean, self.factor = (
            part.to(rows.device) for part in (self.starts, self.first_windows, self.case_ends, self.mean, self.factor)
        )
        if self.unit_of_case is not None:
            self.unit_of_case = self.unit_of_case.to(rows.device)
        self._repeat_scaling()

    def _repeat_scaling(self) -> None:
        """The scaling of complete windows as one piece (T F,), and their weight."""
        length = self.in_len + self.horizon
        self._mean_of_piece, self._factor_of_piece = self.mean.repeat(length), self.factor.repeat(length)
        self._whole_weight = torch.ones(1, self.horizon, device=self.rows.device)

    def __getstate__(self) -> dict[str, Any]:
        # A file stays with its process.
        return {**self.__dict__, "table": None}

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self.rows.stride(0) * self.rows.itemsize

    @property
    def window_bytes(self) -> int:
        """Of the rows of one window."""
        return (self.in_len + self.horizon) * self.row_bytes

    @property
    def nbytes(self) -> int:
        """Of the rows of these cases."""
        return self._case_rows * self.row_bytes

    def gather(self, windows: Tensor, held: HeldRows | None = None) -> Batch:
        """Gather standardised windows (B,): past (B, in_len, F), controls (B, H, C), truth (B, H, P), weight (B, H).

        With units the past is (B, in_len, F + 1).

        Args:
            windows: their numbers.
            held: rows to take them from; None: from all rows.
        """
        length = self.in_len + self.horizon
        batch = self._gather_complete(windows, held) if self.complete else self._gather(windows, length, held)
        return self._with_units(batch, windows)

    def hold(self, windows: Tensor, spare: HeldRows | None = None) -> HeldRows | None:
        """Read the rows of windows from anywhere (B,), where all rows lie in a file; None where they lie in memory.

        Args:
            windows: their numbers.
            spare: rows that are no longer used, whose memory is taken where it is large enough.
        """
        return self._hold(windows, self.in_len + self.horizon, spare)

    def _hold(self, windows: Tensor, length: int, spare: HeldRows | None = None) -> HeldRows | None:
        if self.table is None:
            return None
        starts = self.starts[windows].sort().values
        apart = starts.diff() > length + GAP_BYTES // self.row_bytes
        edge = apart.new_ones(1)
        firsts = starts[torch.cat((edge, apart))]
        sizes = (starts[torch.cat((apart, edge))] + length).clamp(max=len(self.rows)) - firsts
        ends = sizes.cumsum(0)
        if spare is None or len(spare.rows) < ends[-1]:
            rows = self.rows.new_empty(int(ROOM_FACTOR * ends[-1]), self.rows.shape[1])
        else:
            rows = spare.rows
        for first, size, end in zip(firsts.tolist(), sizes.tolist(), ends.tolist(), strict=True):
            self.table.copy_rows(first, rows[end - size : end].numpy())
        return HeldRows(rows, firsts, ends - sizes - firsts)

    def spread_cases(self, max_rows: int) -> Tensor:
        """First windows (K,) of cases spread over all, as many as have ``max_rows`` rows; of each unit one at least.

        Args:
            max_rows: of all of them together, the shorter ones filled up; of few cases each is long instead.
        """
        length = max(self._longest, self.in_len + self.horizon)
        count = min(len(self.first_windows), max(LEAST_CASES, max_rows // length))
        cases = torch.linspace(0, len(self.first_windows) - 1, count, dtype=torch.float64).round().long()
        if self.unit_of_case is not None:
            _, firsts = np.unique(self.unit_of_case.cpu().numpy(), return_index=True)
            cases = torch.cat((cases, torch.from_numpy(firsts))).unique()
        return self.first_windows[cases.to(self.first_windows.device)]

    def whole_cases(self, firsts: Tensor, max_rows: int) -> Batch:
        """Cases from their first row to the end of the longest of all, or to ``max_rows`` of them together.

        Args:
            firsts: their first windows.
            max_rows: of all of them, the shorter ones filled up.
        """
        rows = max(self.in_len + 1, min(self._longest, max_rows // len(firsts)))
        return self._with_units(self._gather(firsts, rows, self._hold(firsts, rows)), firsts)

    @property
    def _longest(self) -> int:
        """Rows of the longest case."""
        return int((self.case_ends - self.starts[self.first_windows]).max())

    def _with_units(self, batch: Batch, windows: Tensor) -> Batch:
        if self.unit_of_case is None:
            return batch
        numbers = self.unit_of_case[self.cases_of(windows)]
        return batch._replace(past=with_unit_numbers(batch.past, numbers))

    def cases_of(self, windows: Tensor) -> Tensor:
        """The case of each window (B,)."""
        return torch.bucketize(windows, self.first_windows, right=True) - 1

    def _gather(self, windows: Tensor, length: int, held: HeldRows | None = None) -> Batch:
        first, rows = self._placed(windows, held)
        left = self.case_ends[self.cases_of(windows)] - self.starts[windows]
        steps = torch.arange(length, device=self.starts.device)
        positions = first[:, None] + torch.minimum(steps, left[:, None] - 1)
        # Rows are contiguous: index_select copies whole ones, plain indexing one number after another.
        block = rows.index_select(0, positions.flatten()).unflatten(0, positions.shape)
        block.sub_(self.mean).mul_(self.factor)
        return self._parts(block, (steps < left[:, None])[:, self.in_len :].float())

    def _gather_complete(self, windows: Tensor, held: HeldRows | None) -> Batch:
        """Gather windows with all their rows, each copied as one piece: a quarter less time."""
        first, rows = self._placed(windows, held)
        length, features = self.in_len + self.horizon, rows.shape[1]
        # All complete windows, which overlap (N - T + 1, T F).
        pieces = rows.as_strided((len(rows) - length + 1, length * features), (features, 1))
        block = pieces.index_select(0, first)
        block.sub_(self._mean_of_piece).mul_(self._factor_of_piece)
        return self._parts(block.view(len(block), -1, features), self._whole_weight.expand(len(block), -1))

    def _placed(self, windows: Tensor, held: HeldRows | None) -> tuple[Tensor, Tensor]:
        """The first row of each window (B,), and the rows where it lies (K, F)."""
        starts = self.starts[windows]
        return (starts, self.rows) if held is None else (held.place(starts), held.rows)

    def _parts(self, block: Tensor, weight: Tensor) -> Batch:
        past, future = block.tensor_split((self.in_len,), dim=1)
        control, truth = future.tensor_split((self.controls,), dim=-1)
        return Batch(past, control, truth, weight)
