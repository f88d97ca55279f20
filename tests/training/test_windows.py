"""Windows against plain slices of each case."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from builders import CONTROLS, make_case, make_channels
from torch.utils.data import DataLoader

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.windows import Share, WindowData, WindowDataset, WindowLoader, WindowSampler

CASES = [make_case(f"c{i}", 12, i) for i in range(10)]


def fitted(cases: Sequence[Case]) -> Standardizer:
    scaling = Standardizer(4)
    scaling.fit(case.values for case in cases)
    return scaling


def slow_windows(
    cases: Sequence[Case], scaling: Standardizer, in_len: int, horizon: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Past, controls and truth of every window, sliced from its own case; the last ones are short."""
    mean, scale = scaling.mean.numpy(), scaling.scale.numpy()
    found = []
    for case in cases:
        rows = (case.values - mean) / scale
        for start in range(len(rows)):
            future = rows[start + in_len : start + in_len + horizon]
            if len(future) and (start == 0 or 2 * len(future) >= horizon):
                found.append((rows[start : start + in_len], future[:, :CONTROLS], future[:, CONTROLS:]))
    return found


@pytest.mark.parametrize(("in_len", "horizon"), [(10, 1), (10, 3), (1, 1), (4, 7), (3, 2), (5, 60)])
def test_a_gather_equals_plain_slices(in_len: int, horizon: int) -> None:
    cases = [make_case("a", 20, 0), make_case("b", 11, 1), make_case("c", 37, 2), make_case("d", in_len + 1, 3)]
    windows = WindowDataset(cases, fitted(cases), in_len, horizon)
    expected = slow_windows(cases, fitted(cases), in_len, horizon)
    assert len(windows) == len(expected)
    past, control, truth, weight = windows.__getitems__(list(range(len(windows))))
    assert past.shape == (len(expected), in_len, 4)
    assert control.shape == (len(expected), horizon, CONTROLS)
    assert truth.shape == (len(expected), horizon, 4 - CONTROLS)
    for i, (slow_past, slow_control, slow_truth) in enumerate(expected):
        length = len(slow_truth)
        assert weight[i].tolist() == [1.0] * length + [0.0] * (horizon - length)
        torch.testing.assert_close(past[i].numpy(), slow_past, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(control[i, :length].numpy(), slow_control, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(truth[i, :length].numpy(), slow_truth, rtol=1e-6, atol=1e-6)


def test_no_window_holds_rows_of_two_cases() -> None:
    """Each case is one number throughout; so must be each window, its padding included."""
    cases = [
        Case(str(i), np.arange(n), np.full((n, 4), float(i), np.float32), make_channels())
        for i, n in enumerate((15, 12, 30, 13))
    ]
    for horizon in (1, 2, 9, 40):
        windows = WindowDataset(cases, Standardizer(4), 11, horizon)
        past, control, truth, _ = windows.__getitems__(list(range(len(windows))))
        for part in (past, control, truth):
            assert (part == past[:, :1, :1]).all()


def test_one_index_and_a_list_agree() -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 2)
    batch = windows.__getitems__([5, 0, 17])
    for i, index in enumerate((5, 0, 17)):
        for whole, single in zip(batch, windows[index], strict=True):
            torch.testing.assert_close(whole[i], single, rtol=0, atol=0)


def test_cached_rows_that_are_read_only_are_copied() -> None:
    case = make_case()
    case.values.setflags(write=False)
    windows = WindowDataset([case], Standardizer(4), 4, 1)
    windows.rows += 1.0
    np.testing.assert_array_equal(case.values, make_case().values)


def test_loaders_pass_every_window_once() -> None:
    training, validation = (WindowDataset(part, fitted(CASES), 4, 1) for part in (CASES[:7], CASES[7:]))
    data = WindowData(training, validation, SettingsConfig(batch_size=10))
    rows = torch.cat([batch[2] for batch in data.val_dataloader()])
    torch.testing.assert_close(rows, validation.__getitems__(list(range(len(validation))))[2], rtol=0, atol=0)
    loader = data.train_dataloader()
    first = torch.cat([batch[2] for batch in loader])
    # As Lightning does before each epoch.
    loader.sampler.set_epoch(1)
    second = torch.cat([batch[2] for batch in loader])
    whole = training.__getitems__(list(range(len(training))))[2]
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
def test_the_loader_gives_what_pytorchs_own_gives(options: dict[str, float]) -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    settings = SettingsConfig(**options)  # type: ignore[arg-type]
    sampler = WindowSampler(windows, settings)
    ours = WindowLoader(sampler, 32)
    plain = DataLoader(windows, 32, sampler=sampler.order().tolist(), collate_fn=lambda batch: batch)
    assert len(ours) == len(plain)
    for batch, wanted in zip(ours, plain, strict=True):
        for part, other in zip(batch, wanted, strict=True):
            torch.testing.assert_close(part, other, rtol=0, atol=0)


def test_the_order_is_drawn_with_the_first_batch() -> None:
    """Lightning takes the iterator before it says which epoch it is."""
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    sampler = WindowSampler(windows, SettingsConfig())
    early = iter(WindowLoader(sampler, 32))
    sampler.set_epoch(3)
    expected = windows.gather(sampler.order()[:32])
    for part, wanted in zip(next(early), expected, strict=True):
        torch.testing.assert_close(part, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(("count", "lengths"), [(40, [16, 4]), (33, [16, 1]), (32, [16]), (3, [2])])
def test_processes_share_every_batch_and_have_as_many(count: int, lengths: list[int]) -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 1)
    sampler = WindowSampler(windows, SettingsConfig(windows_per_epoch=count))
    loaders = [WindowLoader(sampler, 16, Share(rank, 2)) for rank in range(2)]
    shares = [list(loader) for loader in loaders]
    assert [len(batch.past) for batch in shares[0]] == lengths
    assert len(loaders[0]) == len(loaders[1]) == len(shares[0]) == len(shares[1])
    # Together they are the batches of one process with twice the size; what fills up a share has no weight.
    for ours, whole in zip(zip(*shares, strict=True), WindowLoader(sampler, 32), strict=True):
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


def test_stride_leaves_out_starts_but_never_a_case() -> None:
    windows = WindowDataset(CASES, Standardizer(4), in_len=3, horizon=2, stride=5)
    # Cases of 12 rows have starts 0 to 8 (the last with one of two rows), of which 0 and 5 remain.
    assert windows.starts.tolist() == [12 * case + start for case in range(10) for start in (0, 5)]
    assert windows.first_windows.tolist() == [2 * case for case in range(10)]


def test_whole_cases_are_filled_up_to_the_longest_or_cut() -> None:
    cases = [make_case("a", 9), make_case("b", 6)]
    windows = WindowDataset(cases, fitted(cases), in_len=3, horizon=2)
    past, control, truth, weight = windows.whole_cases(1000)
    assert weight.tolist() == [[1.0] * 6, [1.0] * 3 + [0.0] * 3]
    for k, case in enumerate(cases):
        rows = fitted(cases).standardise(torch.from_numpy(case.values.astype(np.float32)))
        torch.testing.assert_close(past[k], rows[:3])
        given = int(weight[k].sum())
        torch.testing.assert_close(torch.cat((control[k], truth[k]), dim=-1)[:given], rows[3:])
    assert windows.whole_cases(14)[3].shape == (2, 4)
