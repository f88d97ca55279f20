"""Windows of cases: their start rows and gathering of batches from one tensor of all rows.

Windows are never copied in full: a batch is one gather from the rows, which stay where the cases were read to, and is
standardised on the way.

Shape letters: N all rows, W windows, B batch, T time, H predicted rows of a window, F feature (C control, then P
predicted).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.rows import ask_for, mapped_file
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.networks.base import Batch
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.lightning import LightningDataModule

# Rows of a validation batch on a GPU, which few rows leave idle.
GPU_ROWS = 100_000


class Share(NamedTuple):
    """Which part of every batch a process gathers, of so many that train one network."""

    rank: int = 0
    processes: int = 1


class WindowDataset(Dataset[Batch]):
    """All windows of some cases: ``rows`` (N, F) in physical units, ``starts`` (W,) the first row of each window.

    Where less than the horizon is left of a case, but at least half of it, the window is kept and its missing rows
    have weight 0; so is the only window of a case shorter than that.

    Indexing with a list gives the whole batch at once (PyTorch's loader calls ``__getitems__``).

    Args:
        cases: physical units.
        scaling: fitted on the training cases.
        in_len: past rows of a window.
        horizon: predicted rows of a window.
        stride: rows between starts.
        table: the rows that the cases are views of, which are then not copied.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        scaling: Standardizer,
        in_len: int,
        horizon: int,
        stride: int = 1,
        table: RowTable | None = None,
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

    def __getitem__(self, index: int) -> Batch:
        return Batch(*(part[0] for part in self.__getitems__([index])))

    def __getitems__(self, indices: list[int]) -> Batch:
        """Batch of windows by a list of indices, as :meth:`gather` gives it."""
        # By way of numpy, which reads a list of numbers three times as fast as torch.
        return self.gather(torch.from_numpy(np.array(indices, np.int64)).to(self.starts.device))

    def gather(self, windows: Tensor) -> Batch:
        """Gather standardised windows (B,): past (B, in_len, F), controls (B, H, C), truth (B, H, P), weight (B, H)."""
        if self._file is not None:
            row_bytes = self.rows.stride(0) * self.rows.itemsize
            ask_for(self._file, self.starts[windows].numpy() * row_bytes, (self.in_len + self.horizon) * row_bytes)
        return self._gather_complete(windows) if self.complete else self._gather(windows, self.in_len + self.horizon)

    def whole_cases(self, max_rows: int) -> Batch:
        """Every case from its first row to the end of the longest, or to ``max_rows`` of all cases together."""
        longest = int((self.case_ends - self.starts[self.first_windows]).max())
        rows = max(self.in_len + 1, min(longest, max_rows // len(self.first_windows)))
        return self._gather(self.first_windows, rows)

    def _gather(self, windows: Tensor, rows: int) -> Batch:
        positions = self.starts[windows, None] + torch.arange(rows, device=self.starts.device)
        ends = self.case_ends[torch.bucketize(windows, self.first_windows, right=True) - 1, None]
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


class WindowSampler:
    """Sampler of windows: all in a new order each epoch, or a drawn number with a share from the cases' first rows.

    A free run starts at the first rows of a case, which is one window in hundreds; drawing it more often trains the
    start of a free run. The order follows from seed and epoch alone (Lightning calls :meth:`set_epoch`), so that a
    resumed run goes on as if it had never stopped.

    Args:
        windows: to draw from.
        settings: ``seed``, ``windows_per_epoch`` and ``first_share``.
    """

    def __init__(self, windows: WindowDataset, settings: SettingsConfig) -> None:
        self.windows, self.settings, self.epoch = windows, settings, 0
        self.count = settings.windows_per_epoch or len(windows)
        self.whole = settings.windows_per_epoch is None and not settings.first_share

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next order is for."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def order(self) -> Tensor:
        """Windows of this epoch (W,), in order."""
        random = torch.Generator().manual_seed(epoch_seed(self.settings.seed, self.epoch))
        if self.whole:
            return torch.randperm(self.count, generator=random)
        firsts = self.windows.first_windows.cpu()
        anywhere = torch.randint(len(self.windows), (self.count,), generator=random)
        at_first = firsts[torch.randint(len(firsts), (self.count,), generator=random)]
        first = torch.rand(self.count, generator=random) < self.settings.first_share
        return torch.where(first, at_first, anywhere)


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of an epoch of a run; another run's seed gives other seeds."""
    return (seed * 1_000_003 + epoch) % 2**63


def gather_share(windows: WindowDataset, order: Tensor, batch_size: int, share: Share) -> Iterator[Batch]:
    """One process's batches: its part of each ``share.processes`` times ``batch_size`` windows.

    All processes have as many batches. Where fewer windows are left than there are processes, one without any gets a
    window of weight 0.

    Args:
        windows: to gather from.
        order: windows of an epoch (W,), on the device of the rows.
        batch_size: windows of one process.
        share: of this process.
    """
    for together in order.split(batch_size * share.processes):
        own = together.tensor_split(share.processes)[share.rank]
        if len(own):
            yield windows.gather(own)
        else:
            batch = windows.gather(together[:1])
            yield batch._replace(weight=torch.zeros_like(batch.weight))


class WindowLoader:
    """Loader of training batches in the order of a sampler, gathered on the device of the rows."""

    def __init__(self, sampler: WindowSampler, batch_size: int, share: Share = Share()) -> None:  # noqa: B008
        self.sampler, self.batch_size, self.share = sampler, batch_size, share

    def __len__(self) -> int:
        return -(-len(self.sampler) // (self.batch_size * self.share.processes))

    def __iter__(self) -> Iterator[Batch]:
        # A generator: Lightning says which epoch it is after it has taken the iterator.
        windows = self.sampler.windows
        yield from gather_share(windows, placed(self.sampler.order(), windows.rows.device), self.batch_size, self.share)


class BlockLoader:
    """Loader of blocks (K, B) of window indices, for training that gathers them: an epoch in few Lightning steps.

    The last batch, where it is shorter, is a block of its own.

    Args:
        sampler: says the order of an epoch.
        batch_size: B.
        max_batches: K, batches per block.
    """

    def __init__(self, sampler: WindowSampler, batch_size: int, max_batches: int) -> None:
        self.sampler, self.batch_size, self.max_batches = sampler, batch_size, max_batches

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.sampler) // self.batch_size)

    def __len__(self) -> int:
        whole, surplus = divmod(len(self.sampler), self.batch_size)
        return -(-whole // self.max_batches) + bool(surplus)

    def __iter__(self) -> Iterator[Tensor]:
        order = placed(self.sampler.order(), self.sampler.windows.rows.device)
        whole = len(order) // self.batch_size * self.batch_size
        yield from order[:whole].view(-1, self.batch_size).split(self.max_batches)
        if whole < len(order):
            yield order[None, whole:]


class OrderedLoader:
    """Loader of all windows in order, gathered on the device of the rows."""

    def __init__(self, windows: WindowDataset, batch_size: int, share: Share = Share()) -> None:  # noqa: B008
        self.windows, self.batch_size, self.share = windows, batch_size, share

    def __len__(self) -> int:
        return -(-len(self.windows) // (self.batch_size * self.share.processes))

    def __iter__(self) -> Iterator[Batch]:
        order = torch.arange(len(self.windows), device=self.windows.rows.device)
        yield from gather_share(self.windows, order, self.batch_size, self.share)


def placed(numbers: Tensor, device: torch.device) -> Tensor:
    """Copy CPU numbers to a device without waiting for it."""
    return numbers.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else numbers


class WindowData(LightningDataModule):
    """Lightning data module of training and validation windows; no worker processes, a batch is one gather.

    Args:
        training: windows.
        validation: windows.
        settings: ``batch_size`` and what :class:`WindowSampler` takes.
    """

    def __init__(self, training: WindowDataset, validation: WindowDataset, settings: SettingsConfig) -> None:
        super().__init__()
        self.training, self.validation, self.settings = training, validation, settings
        if training.rows.data_ptr() == validation.rows.data_ptr():
            # One tensor, which is then moved or sent to another process once.
            validation.to(training.rows)
        self.batches_per_block: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The trainer of an earlier training stays where it is.
        return {**self.__dict__, "trainer": None}

    def train_dataloader(self) -> WindowLoader | BlockLoader:
        """Training windows in the order of :class:`WindowSampler`, in batches or blocks of ``batches_per_block``."""
        sampler = WindowSampler(self._placed(self.training), self.settings)
        if self.batches_per_block is not None:
            return BlockLoader(sampler, self.settings.batch_size, self.batches_per_block)
        return WindowLoader(sampler, self.settings.batch_size, self._share)

    def val_dataloader(self) -> OrderedLoader:
        """Validation windows in order."""
        windows, batch_size = self._placed(self.validation), self.settings.batch_size
        if windows.rows.is_cuda:
            batch_size = max(batch_size, GPU_ROWS // (windows.in_len + windows.horizon))
        return OrderedLoader(windows, batch_size, self._share)

    @property
    def _share(self) -> Share:
        return Share() if self.trainer is None else Share(self.trainer.global_rank, self.trainer.world_size)

    def _placed(self, windows: WindowDataset) -> WindowDataset:
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            # Both sets may be windows of the same rows, which are then moved once.
            parts = self.training, self.validation
            moved = {id(part.rows): part.rows.to(device) for part in parts}
            for part, rows in [(part, moved[id(part.rows)]) for part in parts]:
                part.to(rows)
        return windows
