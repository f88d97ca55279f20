"""Windows of cases: their start rows and gathering of batches from one tensor of all rows.

Windows are never copied in full: a batch is one gather from the rows, which stay where the cases were read to, and is
standardised on the way.

Shape letters: N all rows, W windows, B batch, T time, H predicted rows of a window, F feature (C control, then P
predicted).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.rows import ask_for, mapped_file
from surrogate_modeling.networks.base import Batch
from surrogate_modeling.networks.unit_latent import unit_numbers, with_unit_numbers
from surrogate_modeling.surrogate.scaling import Standardizer


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
        self._file = mapped_file(table.values)
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
        self._place_pieces()

    def to(self, rows: Tensor) -> None:
        """Move the dataset's rows to a device, as a copy; batches are then gathered there."""
        if rows.data_ptr() != self.rows.data_ptr():
            self._file = None
        self.rows = rows
        self.starts, self.first_windows, self.case_ends, self.mean, self.factor = (
            part.to(rows.device) for part in (self.starts, self.first_windows, self.case_ends, self.mean, self.factor)
        )
        if self.unit_of_case is not None:
            self.unit_of_case = self.unit_of_case.to(rows.device)
        self._place_pieces()

    def _place_pieces(self) -> None:
        """The rows seen as all complete windows (N - T + 1, T F), which overlap, their scaling and their weight."""
        length, features = self.in_len + self.horizon, self.rows.shape[1]
        pieces = max(0, len(self.rows) - length + 1)
        self._pieces = self.rows.as_strided((pieces, length * features), (features, 1))
        self._mean_of_piece, self._factor_of_piece = self.mean.repeat(length), self.factor.repeat(length)
        self._whole_weight = torch.ones(1, self.horizon, device=self.rows.device)

    def __getstate__(self) -> dict[str, Any]:
        # Views of the rows would be copied; a mapped file stays with its process.
        return {name: value for name, value in self.__dict__.items() if name not in ("_pieces", "_file")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = None
        self._place_pieces()

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, windows: Tensor) -> Batch:
        """Gather standardised windows (B,): past (B, in_len, F), controls (B, H, C), truth (B, H, P), weight (B, H).

        With units the past is (B, in_len, F + 1).
        """
        if self._file is not None:
            row_bytes = self.rows.stride(0) * self.rows.itemsize
            ask_for(self._file, self.starts[windows].numpy() * row_bytes, (self.in_len + self.horizon) * row_bytes)
        batch = self._gather_complete(windows) if self.complete else self._gather(windows, self.in_len + self.horizon)
        return self._with_units(batch, windows)

    def whole_cases(self, max_rows: int) -> Batch:
        """Every case from its first row to the end of the longest, or to ``max_rows`` of all cases together."""
        longest = int((self.case_ends - self.starts[self.first_windows]).max())
        rows = max(self.in_len + 1, min(longest, max_rows // len(self.first_windows)))
        return self._with_units(self._gather(self.first_windows, rows), self.first_windows)

    def _with_units(self, batch: Batch, windows: Tensor) -> Batch:
        if self.unit_of_case is None:
            return batch
        numbers = self.unit_of_case[self.cases_of(windows)]
        return batch._replace(past=with_unit_numbers(batch.past, numbers))

    def cases_of(self, windows: Tensor) -> Tensor:
        """The case of each window (B,)."""
        return torch.bucketize(windows, self.first_windows, right=True) - 1

    def _gather(self, windows: Tensor, rows: int) -> Batch:
        positions = self.starts[windows, None] + torch.arange(rows, device=self.starts.device)
        ends = self.case_ends[self.cases_of(windows), None]
        # Rows are contiguous: index_select copies whole ones, plain indexing one number after another.
        block = self.rows.index_select(0, torch.minimum(positions, ends - 1).flatten()).unflatten(0, positions.shape)
        block.sub_(self.mean).mul_(self.factor)
        return self._parts(block, (positions < ends)[:, self.in_len :].float())

    def _gather_complete(self, windows: Tensor) -> Batch:
        """Gather windows with all their rows, each copied as one piece: a quarter less time."""
        block = self._pieces.index_select(0, self.starts[windows])
        block.sub_(self._mean_of_piece).mul_(self._factor_of_piece)
        return self._parts(block.view(len(block), -1, self.rows.shape[1]), self._whole_weight.expand(len(block), -1))

    def _parts(self, block: Tensor, weight: Tensor) -> Batch:
        past, future = block.tensor_split((self.in_len,), dim=1)
        control, truth = future.tensor_split((self.controls,), dim=-1)
        return Batch(past, control, truth, weight)
