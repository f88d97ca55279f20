"""Windows against plain slices of each case."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import CONTROLS, make_case, make_channels

from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.windows import WindowDataset

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
    past, control, truth, weight = windows.gather(torch.arange(len(windows)))
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
        past, control, truth, _ = windows.gather(torch.arange(len(windows)))
        for part in (past, control, truth):
            assert (part == past[:, :1, :1]).all()


def test_a_window_is_the_same_alone_and_among_others() -> None:
    windows = WindowDataset(CASES, fitted(CASES), 4, 2)
    batch = windows.gather(torch.tensor([5, 0, 17]))
    for i, index in enumerate((5, 0, 17)):
        for whole, single in zip(batch, windows.gather(torch.tensor([index])), strict=True):
            torch.testing.assert_close(whole[i], single[0], rtol=0, atol=0)


def test_cached_rows_that_are_read_only_are_copied() -> None:
    case = make_case()
    case.values.setflags(write=False)
    windows = WindowDataset([case], Standardizer(4), 4, 1)
    windows.rows += 1.0
    np.testing.assert_array_equal(case.values, make_case().values)


def test_stride_leaves_out_starts_but_never_a_case() -> None:
    windows = WindowDataset(CASES, Standardizer(4), in_len=3, horizon=2, stride=5)
    # Cases of 12 rows have starts 0 to 8 (the last with one of two rows), of which 0 and 5 remain.
    assert windows.starts.tolist() == [12 * case + start for case in range(10) for start in (0, 5)]
    assert windows.first_windows.tolist() == [2 * case for case in range(10)]


def test_whole_cases_are_filled_up_to_the_longest_or_cut() -> None:
    cases = [make_case("a", 9), make_case("b", 6)]
    windows = WindowDataset(cases, fitted(cases), in_len=3, horizon=2)
    firsts = windows.spread_cases(1000)
    assert firsts.tolist() == windows.first_windows.tolist()
    past, control, truth, weight = windows.whole_cases(firsts, 1000)
    assert weight.tolist() == [[1.0] * 6, [1.0] * 3 + [0.0] * 3]
    for k, case in enumerate(cases):
        rows = fitted(cases).standardise(torch.from_numpy(case.values.astype(np.float32)))
        torch.testing.assert_close(past[k], rows[:3])
        given = int(weight[k].sum())
        torch.testing.assert_close(torch.cat((control[k], truth[k]), dim=-1)[:given], rows[3:])
    assert windows.whole_cases(firsts, 14)[3].shape == (2, 4)


def test_of_many_cases_some_are_taken_whole_instead_of_the_beginning_of_all() -> None:
    """50 cases of 12 rows: 240 rows are 20 whole cases; the only case of another unit is among them."""
    cases = [replace(make_case(f"c{i}", 12, i), unit="b" if i == 4 else "a") for i in range(50)]
    plain = WindowDataset(cases, fitted(cases), in_len=3, horizon=2)
    firsts = plain.spread_cases(240)
    assert len(firsts) == 20
    # Windows of a case: starts 0 to 8.
    numbers = [first // 9 for first in firsts.tolist()]
    assert numbers == [round(i * 49 / 19) for i in range(20)]
    assert 4 not in numbers
    assert plain.whole_cases(firsts, 240).truth.shape[:2] == (20, 9)
    told = WindowDataset(cases, fitted(cases), in_len=3, horizon=2, units=("a", "b"))
    assert [first // 9 for first in told.spread_cases(240).tolist()] == sorted([*numbers, 4])
    # Few are always taken, and cut where they are long.
    assert len(plain.spread_cases(48)) == 16
    # Windows longer than the cases are filled up and take memory, too.
    assert len(WindowDataset(cases, fitted(cases), in_len=3, horizon=17).spread_cases(400)) == 20


def test_past_windows_tell_the_unit_of_their_case() -> None:
    cases = [replace(case, unit=unit) for case, unit in zip(CASES[:3], ("b", None, "a"), strict=True)]
    plain, told = (WindowDataset(cases, fitted(CASES), 4, 2, units=units) for units in ((), ("a", "b")))
    for windows in (torch.tensor([0, len(plain) - 1]), plain.first_windows):
        without, batch = plain.gather(windows), told.gather(windows)
        torch.testing.assert_close(batch.past[..., :-1], without.past)
        torch.testing.assert_close(batch.control, without.control)
        expected = [1, 0] if len(windows) == 2 else [1, 2, 0]
        assert batch.past[..., -1].tolist() == [[float(number)] * 4 for number in expected]
    whole = told.whole_cases(told.first_windows, 1_000)
    assert whole.past[:, 0, -1].tolist() == [1.0, 2.0, 0.0]
