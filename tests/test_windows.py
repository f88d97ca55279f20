"""Splits by case, and windows against plain slices of each case."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from conftest import CONTROLS, make_case
from hypothesis import given
from hypothesis import strategies as st

from surrogate_modeling.cases import Case
from surrogate_modeling.config import SettingsConfig, UserError
from surrogate_modeling.dataset_config import DatasetConfig, Split
from surrogate_modeling.scaling import Standardizer
from surrogate_modeling.windows import CaseSplit, WindowData, WindowDataset, WindowSampler, split_cases

CASES = [make_case(f"c{i}", 12, i) for i in range(10)]


def names(split: CaseSplit) -> tuple[list[str], list[str], list[str]]:
    training, validation, test = (
        [case.name for case in part] for part in (split.training, split.validation, split.test)
    )
    return training, validation, test


def config(**options: object) -> DatasetConfig:
    return DatasetConfig(path="x", controls=2, **options)  # type: ignore[arg-type]


def test_last_cases_by_count() -> None:
    split = split_cases(CASES, config(split=Split.last, validation=2, test=3), seed=0)
    assert names(split) == (["c0", "c1", "c2", "c3", "c4"], ["c5", "c6"], ["c7", "c8", "c9"])


def test_fractions_are_rounded_and_at_least_one_case() -> None:
    split = split_cases(CASES, config(split=Split.last, validation=0.26, test=0.01), seed=0)
    assert names(split) == ([f"c{i}" for i in range(6)], ["c6", "c7", "c8"], ["c9"])


@given(st.integers(3, 40), st.integers(0, 2**32 - 1), st.floats(0.01, 0.3), st.integers(1, 3))
def test_a_random_split_deals_every_case_once(count: int, seed: int, validation: float, test: int) -> None:
    cases = [make_case(f"c{i}", 11) for i in range(count)]
    sizes = config(validation=validation, test=test)
    wanted = max(1, round(validation * count))
    if wanted + test >= count:
        with pytest.raises(UserError, match="leave none to train on"):
            split_cases(cases, sizes, seed)
        return
    split = names(split_cases(cases, sizes, seed))
    assert [len(part) for part in split] == [count - wanted - test, wanted, test]
    assert sorted(name for part in split for name in part) == sorted(case.name for case in cases)
    assert split == names(split_cases(cases, sizes, seed))


def test_the_seed_decides() -> None:
    splits = [names(split_cases(CASES, config(validation=2, test=2), seed)) for seed in range(5)]
    assert len({str(split) for split in splits}) > 1
    # In each part the cases keep the order of their names.
    assert all(part == sorted(part) for split in splits for part in split)


def test_named_cases_in_the_order_given() -> None:
    options = {"split": Split.named, "validation_cases": ["c3"], "test_cases": ["c9", "c0"]}
    split = names(split_cases(CASES, config(**options), seed=0))
    assert split == (["c1", "c2", "c4", "c5", "c6", "c7", "c8"], ["c3"], ["c9", "c0"])


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        (["c1", "x"], ["y"], "dataset.validation_cases: no such case: x"),
        (["c1"], ["c2.csv"], "dataset.test_cases: no such case: c2.csv"),
        (["c1", "c2"], ["c2"], "both name c2"),
        (["c1", "c1"], ["c2"], "dataset.validation_cases: c1 named twice"),
        (["c1"], ["c2", "c3", "c2"], "dataset.test_cases: c2 named twice"),
        ([f"c{i}" for i in range(9)], ["c9"], "none is left to train on"),
    ],
)
def test_named_splits_that_cannot_be(validation: list[str], test: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        split_cases(CASES, config(split=Split.named, validation_cases=validation, test_cases=test), seed=0)
    assert said in str(caught.value)


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
    windows = WindowDataset(cases, fitted(cases), in_len, horizon, CONTROLS)
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
    cases = [Case(str(i), np.arange(n), np.full((n, 4), float(i), np.float32)) for i, n in enumerate((15, 12, 30, 13))]
    for horizon in (1, 2, 9, 40):
        windows = WindowDataset(cases, Standardizer(4), 11, horizon, CONTROLS)
        past, control, truth, _ = windows.__getitems__(list(range(len(windows))))
        for part in (past, control, truth):
            assert (part == past[:, :1, :1]).all()


def test_one_index_and_a_list_agree() -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 2, CONTROLS)
    batch = windows.__getitems__([5, 0, 17])
    for i, index in enumerate((5, 0, 17)):
        for whole, single in zip(batch, windows[index], strict=True):
            torch.testing.assert_close(whole[i], single, rtol=0, atol=0)


def test_cached_rows_that_are_read_only_are_copied() -> None:
    case = make_case()
    case.values.setflags(write=False)
    windows = WindowDataset([case], Standardizer(4), 4, 1, CONTROLS)
    windows.rows += 1.0
    np.testing.assert_array_equal(case.values, make_case().values)


def test_loaders_pass_every_window_once() -> None:
    training, validation = (WindowDataset(part, fitted(CASES), 4, 1, CONTROLS) for part in (CASES[:7], CASES[7:]))
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
    windows = WindowDataset(CASES, fitted(CASES), 4, 1, CONTROLS)
    starts = [i * 8 for i in range(10)]
    assert windows.first_windows.tolist() == starts
    assert set(WindowSampler(windows, SettingsConfig(windows_per_epoch=500, first_share=1.0))) == set(starts)
    drawn = list(WindowSampler(windows, SettingsConfig(windows_per_epoch=4000, first_share=0.5)))
    assert len(drawn) == 4000
    # Half by choice, and one in eight of the other half by chance.
    assert sum(index in starts for index in drawn) / 4000 == pytest.approx(0.5 + 0.5 / 8, abs=0.04)
    data = WindowData(windows, windows, SettingsConfig(batch_size=32, windows_per_epoch=100))
    assert sum(len(batch[0]) for batch in data.train_dataloader()) == 100


def test_every_window_once_in_an_order_that_follows_from_seed_and_epoch() -> None:
    windows = WindowDataset(CASES, Standardizer(4), in_len=3, horizon=2, controls=2)

    def order(seed: int, epoch: int) -> list[int]:
        sampler = WindowSampler(windows, SettingsConfig(seed=seed))
        sampler.set_epoch(epoch)
        return list(sampler)

    assert sorted(order(1, 0)) == list(range(len(windows)))
    assert order(1, 4) == order(1, 4)
    assert order(1, 4) != order(1, 5)
    assert order(1, 4) != order(2, 4)


def test_stride_leaves_out_starts_but_never_a_case() -> None:
    windows = WindowDataset(CASES, Standardizer(4), in_len=3, horizon=2, controls=2, stride=5)
    # Cases of 12 rows have starts 0 to 8 (the last with one of two rows), of which 0 and 5 remain.
    assert windows.starts.tolist() == [12 * case + start for case in range(10) for start in (0, 5)]
    assert windows.first_windows.tolist() == [2 * case for case in range(10)]


def test_whole_cases_are_filled_up_to_the_longest_or_cut() -> None:
    cases = [make_case("a", 9), make_case("b", 6)]
    windows = WindowDataset(cases, fitted(cases), in_len=3, horizon=2, controls=CONTROLS)
    past, control, truth, weight = windows.whole_cases(1000)
    assert weight.tolist() == [[1.0] * 6, [1.0] * 3 + [0.0] * 3]
    for k, case in enumerate(cases):
        rows = fitted(cases).standardise(torch.from_numpy(case.values.astype(np.float32)))
        torch.testing.assert_close(past[k], rows[:3])
        given = int(weight[k].sum())
        torch.testing.assert_close(torch.cat((control[k], truth[k]), dim=-1)[:given], rows[3:])
    assert windows.whole_cases(14)[3].shape == (2, 4)
