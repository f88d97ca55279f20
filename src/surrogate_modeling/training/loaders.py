"""Batches of windows for training and validation: their order, each process's share, and Lightning's data module.

Shape letters: W windows, B windows of a batch, K batches of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.training.lightning import LightningDataModule
from surrogate_modeling.training.parts import Drawn, held_batches, part_length, shuffled_in_parts
from surrogate_modeling.training.windows import HeldRows, WindowDataset

# Rows of a validation batch on a GPU, which few rows leave idle.
GPU_ROWS = 100_000


class Share(NamedTuple):
    """Which part of every batch a process gathers, of so many that train one network."""

    rank: int = 0
    processes: int = 1


class Rehearsal(NamedTuple):
    """What is learnt again beside what is new: cases from number ``first`` on, with this share of the windows drawn."""

    first: int
    share: float


class WindowSampler:
    """Sampler of windows: all in a new order each epoch, or a drawn number with a share from the cases' first rows.

    A free run starts at the first rows of a case, which is one window in hundreds; drawing it more often trains the
    start of a free run. The order follows from seed, epoch (Lightning calls :meth:`set_epoch`) and the windows of a
    batch of all processes, so that a resumed run goes on as if it had never stopped.

    Args:
        windows: to draw from.
        settings: ``seed``, ``batch_size`` of each process, ``windows_per_epoch`` and ``first_share``.
        share: of this process.
        rehearsal: decides for each window drawn which cases it is of, whatever their number and lengths; None: all are
            alike.
    """

    def __init__(
        self,
        windows: WindowDataset,
        settings: SettingsConfig,
        share: Share = Share(),  # noqa: B008
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self.windows, self.settings, self.share, self.epoch = windows, settings, share, 0
        self.rehearsal = rehearsal
        self.count = settings.windows_per_epoch or len(windows)
        self.whole = settings.windows_per_epoch is None and not settings.first_share and rehearsal is None
        self.batch_size = settings.batch_size * share.processes
        self.part_length = part_length(windows, self.count, settings.first_share, self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next order is for."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def order(self) -> Tensor:
        """Windows of this epoch (W,), in order; where they are many, in parts that are shuffled each for itself."""
        random = torch.Generator().manual_seed(epoch_seed(self.settings.seed, self.epoch))
        drawn = None if self.whole else self._draw(random)
        if self.part_length < self.count:
            return shuffled_in_parts(self.windows, drawn, self.part_length, random)
        return torch.randperm(self.count, generator=random) if drawn is None else drawn.windows

    def _draw(self, random: torch.Generator) -> Drawn:
        firsts, end = self.windows.first_windows.cpu(), len(self.windows)
        if self.rehearsal is None:
            return self._draw_from(firsts, end, random)
        first, share = self.rehearsal
        new = self._draw_from(firsts[:first], int(firsts[first]), random)
        again = self._draw_from(firsts[first:], end, random)
        is_again = torch.rand(self.count, generator=random) < share
        return Drawn(*(torch.where(is_again, *pair) for pair in zip(again, new, strict=True)))

    def _draw_from(self, firsts: Tensor, end: int, random: torch.Generator) -> Drawn:
        """Windows (W,) of neighbouring cases with these first windows; ``end`` is behind their last window."""
        anywhere = torch.randint(int(firsts[0]), end, (self.count,), generator=random)
        at_first = firsts[torch.randint(len(firsts), (self.count,), generator=random)]
        is_first = torch.rand(self.count, generator=random) < self.settings.first_share
        return Drawn(torch.where(is_first, at_first, anywhere), is_first)


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of an epoch of a run; another run's seed gives other seeds."""
    return (seed * 1_000_003 + epoch) % 2**63


def gather_share(
    windows: WindowDataset, batches: Iterable[tuple[Tensor, HeldRows | None]], share: Share
) -> Iterator[Batch]:
    """One process's part of each of the batches that all processes take together.

    All processes have as many batches. Where fewer windows are left than there are processes, one without any gets a
    window of weight 0.

    Args:
        windows: to gather from.
        batches: windows of all processes together (B,), on the device of the rows, and the rows that they are held in.
        share: of this process.
    """
    for together, held in batches:
        own = together.tensor_split(share.processes)[share.rank]
        if len(own):
            yield windows.gather(own, held)
        else:
            batch = windows.gather(together[:1], held)
            yield batch._replace(weight=torch.zeros_like(batch.weight))


class WindowLoader:
    """Loader of training batches in the order of a sampler, gathered on the device of the rows."""

    def __init__(self, sampler: WindowSampler) -> None:
        self.sampler = sampler

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.sampler.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        # A generator: Lightning says which epoch it is after it has taken the iterator.
        sampler, windows = self.sampler, self.sampler.windows
        order = placed(sampler.order(), windows.rows.device)
        batches = held_batches(windows, order, sampler.part_length, sampler.batch_size)
        yield from gather_share(windows, batches, sampler.share)


class BlockLoader:
    """Loader of blocks (K, B) of window indices, for training that gathers them: an epoch in few Lightning steps.

    The last batch, where it is shorter, is a block of its own.

    Args:
        sampler: says the order of an epoch.
        max_batches: K, batches per block.
    """

    def __init__(self, sampler: WindowSampler, max_batches: int) -> None:
        self.sampler, self.max_batches = sampler, max_batches

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.sampler) // self.sampler.batch_size)

    def __len__(self) -> int:
        whole, surplus = divmod(len(self.sampler), self.sampler.batch_size)
        return -(-whole // self.max_batches) + bool(surplus)

    def __iter__(self) -> Iterator[Tensor]:
        order, batch_size = placed(self.sampler.order(), self.sampler.windows.rows.device), self.sampler.batch_size
        whole = len(order) // batch_size * batch_size
        if whole:
            yield from order[:whole].view(-1, batch_size).split(self.max_batches)
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
        batches = ((together, None) for together in order.split(self.batch_size * self.share.processes))
        yield from gather_share(self.windows, batches, self.share)


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
        self.rehearsal: Rehearsal | None = None
        self.batches_per_block: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The trainer of an earlier training stays where it is.
        return {**self.__dict__, "trainer": None}

    def train_dataloader(self) -> WindowLoader | BlockLoader:
        """Training windows in the order of :class:`WindowSampler`, in batches or blocks of ``batches_per_block``."""
        sampler = WindowSampler(self._placed(self.training), self.settings, self._share, self.rehearsal)
        if self.batches_per_block is not None:
            return BlockLoader(sampler, self.batches_per_block)
        return WindowLoader(sampler)

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
