"""The step that loses little, of sums of sines whose variance above any frequency is known."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.cases.case_file import RawCase
from surrogate_modeling.inspection.sampling import find_step

TIME = np.arange(20_001) * 0.01


def raw(*columns: np.ndarray) -> RawCase:
    names = tuple(f"y{i}" for i in range(len(columns)))
    return RawCase("time", names, names, TIME, np.column_stack(columns), np.arange(len(TIME)), ())


def wave(frequency: float, size: float = 1.0) -> np.ndarray:
    return size * np.sin(2 * np.pi * frequency * TIME)


# Of the second column 0.2^2 / (1 + 0.2^2) = 3.85 % of the variance lie at 1 Hz: lost from a step of 0.5 s on.
CASE = raw(wave(0.05), wave(0.05) + wave(1.0, 0.2), np.zeros(len(TIME)))


def find(step: float | None, case: RawCase = CASE):  # type: ignore[no-untyped-def]
    return find_step([Path("a"), Path("b")], lambda file: case, step, 1, False)


def test_the_step_is_half_of_that_with_which_a_column_loses_one_percent() -> None:
    found = find(None)
    assert found.raw == pytest.approx(0.01)
    assert found.longest[1] == pytest.approx(0.5, rel=0.02)
    assert np.isinf(found.longest[[0, 2]]).all()
    assert found.step == 0.2
    assert found.lost.tolist() == [0, 0, 0]
    assert found.files == 2


def test_the_loss_at_a_chosen_step() -> None:
    found = find(2.0)
    assert found.step == 2.0
    assert found.lost[1] == pytest.approx(0.04 / 1.04, rel=0.02)
    assert found.lost[0] == 0
    assert not found.event.any()


def test_slow_columns_keep_rows_enough() -> None:
    """200 s on 200 rows or more: 1 s at most."""
    assert find(None, raw(wave(0.005))).step == 1.0


def test_events_between_the_rows() -> None:
    pulse = np.zeros(len(TIME))
    pulse[7_020:7_080] = 1.0
    assert find(1.0, raw(wave(0.05), pulse)).event.tolist() == [False, True]


def test_one_column_of_many_may_be_faster() -> None:
    slow = [wave(0.05 + 0.001 * i) for i in range(12)]
    assert find(None, raw(*slow)).step == 1.0
    assert find(None, raw(*slow, wave(1.0))).step == 1.0
    assert find(None, raw(*slow, wave(1.0), wave(1.0))).step == 0.2
