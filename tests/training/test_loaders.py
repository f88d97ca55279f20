"""Batches of windows: their order, shares and blocks."""

import pickle
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from builders import make_case
from lag import lag_case

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.loaders import (
    BlockLoader,
    OrderedLoader,
    Rehearsal,
    Share,
    WindowData,
    WindowLoader,
    WindowSampler,
)
from surrogate_modeling.training.windows import WindowDataset

CASES = [make_case(f"c{i}", 12, i) for i in range(10)]


def fitted(cases: Sequence[Case]) -> Standardizer:
    scaling = Standardizer(4)
    scaling.fit(case.values for case in cases)
    return scaling


def test_loaders_pass_every_window_once() -> None:
    training, validation = (WindowDataset(part, fitted(CASES), 4, 1) for part in (CASES[:7], CASES[7:]))
    data = WindowData(training, validation, SettingsConfig(batch_size=10))
    rows = torch.cat([batch[2] for batch in data.val_dataloader()])
    torch.testing.assert_close(rows, validation.gather(torch.arange(len(validation)))[2], rtol=0, atol=0)
    loader = data.train_dataloader()
    first = torch.cat([batch[2] for batch in loader])
    # As Lightning does before each epoch.
    loader.sampler.set_epoch(1)
    second = torch.cat([batch[2] for batch in loader])
    whole = training.gather(torch.arange(len(training)))[2]
    assert not torch.equal(first, second)
    for rows in (first, second):
        torch.testing.assert_close(rows.flatten(1).sort(0).values, whole.flatten(1).sort(0).values, rtol=0, atol=0)


def test_stretches_are_as_many_as_asked_and_start_where_asked() -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    starts = [i * 8 for i in range(10)]
    assert windows.first_windows.tolist() == starts
    assert set(WindowSampler(windows, SettingsConfig(windows_per_epoch=500, first_share=1.0)).order().tolist()) == set(
        starts
    )
    drawn = WindowSampler(windows, SettingsConfig(windows_per_epoch=4000, first_share=0.5)).order().tolist()
    assert len(drawn) == 4000
    # Half by choice, and one in eight of the other half by chance.
    assert sum(index in starts for index in drawn) / 4000 == pytest.approx(0.5 + 0.5 / 8, abs=0.04)
    data = WindowData(windows, windows, SettingsConfig(batch_size=32, windows_per_epoch=100))
    assert sum(len(batch[0]) for batch in data.train_dataloader()) == 100


@pytest.mark.parametrize(("first_share", "of_starts"), [(0.0, 0.25), (0.5, 0.625), (1.0, 1.0)])
def test_what_is_learnt_again_has_its_share_of_the_windows_drawn(first_share: float, of_starts: float) -> None:
    """Three new cases of 4 windows each, and one of 104 that is rehearsed: its windows 12 to 115."""
    cases = [*(make_case(f"c{i}", 8, i) for i in range(3)), make_case("long", 108, 3)]
    windows = WindowDataset(cases, fitted(CASES), 4, 1)
    settings = SettingsConfig(windows_per_epoch=8000, first_share=first_share)
    order = WindowSampler(windows, settings, rehearsal=Rehearsal(3, 0.25)).order()
    assert (order >= 12).float().mean() == pytest.approx(0.25, abs=0.02)
    new = order[order < 12]
    assert torch.isin(new, torch.tensor([0, 4, 8])).float().mean() == pytest.approx(of_starts, abs=0.03)
    again = (order[order >= 12] == 12).float().mean()
    assert again == pytest.approx(first_share + (1 - first_share) / 104, abs=0.04)
    assert int(order.max()) <= 115


def test_every_window_once_in_an_order_that_follows_from_seed_and_epoch() -> None:
    windows = WindowDataset(CASES, Standardizer(4), in_len=3, horizon=2)

    def order(seed: int, epoch: int) -> list[int]:
        sampler = WindowSampler(windows, SettingsConfig(seed=seed))
        sampler.set_epoch(epoch)
        return sampler.order().tolist()

    assert sorted(order(1, 0)) == list(range(len(windows)))
    assert order(1, 4) == order(1, 4)
    assert order(1, 4) != order(1, 5)
    assert order(1, 4) != order(2, 4)


@pytest.mark.parametrize("options", [{}, {"windows_per_epoch": 50, "first_share": 0.5}])
def test_the_loader_gives_slices_of_the_order(options: dict[str, float]) -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    settings = SettingsConfig(batch_size=32, **options)  # type: ignore[arg-type]
    sampler = WindowSampler(windows, settings)
    ours = WindowLoader(sampler)
    order = sampler.order()
    plain = [windows.gather(order[start : start + 32]) for start in range(0, len(order), 32)]
    assert len(ours) == len(plain)
    for batch, wanted in zip(ours, plain, strict=True):
        for part, other in zip(batch, wanted, strict=True):
            torch.testing.assert_close(part, other, rtol=0, atol=0)


def test_the_order_is_drawn_with_the_first_batch() -> None:
    """Lightning takes the iterator before it says which epoch it is."""
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    sampler = WindowSampler(windows, SettingsConfig(batch_size=32))
    early = iter(WindowLoader(sampler))
    sampler.set_epoch(3)
    expected = windows.gather(sampler.order()[:32])
    for part, wanted in zip(next(early), expected, strict=True):
        torch.testing.assert_close(part, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(("count", "lengths"), [(40, [16, 4]), (33, [16, 1]), (32, [16]), (3, [2])])
def test_processes_share_every_batch_and_have_as_many(count: int, lengths: list[int]) -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    settings = SettingsConfig(windows_per_epoch=count, batch_size=16)
    loaders = [WindowLoader(WindowSampler(windows, settings, Share(rank, 2))) for rank in range(2)]
    twice = WindowLoader(WindowSampler(windows, replace(settings, batch_size=32)))
    shares = [list(loader) for loader in loaders]
    assert [len(batch.past) for batch in shares[0]] == lengths
    assert len(loaders[0]) == len(loaders[1]) == len(shares[0]) == len(shares[1])
    # Together they are the batches of one process with twice the size; what fills up a share has no weight.
    for ours, whole in zip(zip(*shares, strict=True), twice, strict=True):
        kept = [part[batch.weight[:, 0] > 0] for batch in ours for part in batch[:1]]
        torch.testing.assert_close(torch.cat(kept), whole.past, rtol=0, atol=0)


def test_windows_are_sent_without_their_views_and_rows_once() -> None:
    table = RowTable.of(CASES)
    both = [WindowDataset(CASES, fitted(CASES), 4, 1, table=table) for _ in range(2)]
    data = WindowData(*both, SettingsConfig())
    packed = pickle.dumps(data)
    size = table.values.nbytes
    assert size < len(packed) < size + 40_000
    again = pickle.loads(packed)
    wanted, given = (each.training.gather(torch.tensor([3, 5])) for each in (data, again))
    for part, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(part, other, rtol=0, atol=0)


def test_blocks_hold_the_windows_of_the_batches_in_their_order() -> None:
    settings = SettingsConfig(in_len=4, batch_size=8)
    cases = [lag_case(30, 0), lag_case(25, 1)]
    scaling = Standardizer(3)
    scaling.fit(case.values for case in cases)
    windows = WindowDataset(cases, scaling, 4, 1)
    sampler = WindowSampler(windows, settings)
    loader = BlockLoader(sampler, 3)
    blocks = list(loader)
    # 26 and 21 windows: five batches of 8, in blocks of three and two, and one of 7.
    assert [tuple(block.shape) for block in blocks] == [(3, 8), (2, 8), (1, 7)]
    assert (len(loader), loader.batches) == (3, 6)
    assert torch.equal(torch.cat([block.flatten() for block in blocks]), sampler.order())


@pytest.mark.parametrize("batch_size", [47, 48, 1024])
def test_windows_for_one_batch_are_one_block(batch_size: int) -> None:
    cases = [lag_case(30, 0), lag_case(25, 1)]
    scaling = Standardizer(3)
    scaling.fit(case.values for case in cases)
    sampler = WindowSampler(WindowDataset(cases, scaling, 4, 1), SettingsConfig(in_len=4, batch_size=batch_size))
    loader = BlockLoader(sampler, 3)
    assert [tuple(block.shape) for block in loader] == [(1, 47)]
    assert (len(loader), loader.batches) == (1, 1)


def test_ordered_batches_are_all_windows_once() -> None:
    cases = [lag_case(30, 0), lag_case(25, 1)]
    scaling = Standardizer(3)
    scaling.fit(case.values for case in cases)
    windows = WindowDataset(cases, scaling, 4, 1)
    loader = OrderedLoader(windows, 10)
    batches = list(loader)
    assert [len(batch.past) for batch in batches] == [10, 10, 10, 10, 7]
    assert len(loader) == 5
    whole = windows.gather(torch.arange(47))
    for part, wanted in zip(zip(*batches, strict=True), whole, strict=True):
        assert torch.equal(torch.cat(part), wanted)
