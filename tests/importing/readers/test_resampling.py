"""Channels with times of their own on the rows of one table."""

import numpy as np
import pytest

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.readers.resampling import Channel, on_one_grid

FAST = Channel("fast", np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 4.0, 9.0, 16.0]))
SLOW = Channel("slow", np.array([1.0, 3.0]), np.array([10.0, 30.0]))


def test_one_time_changes_nothing() -> None:
    frame, remarks = on_one_grid([FAST, Channel("other", FAST.time, 2 * FAST.values)], None, "file")
    assert frame["other"].tolist() == [0, 2, 8, 18, 32]
    assert frame["time"].tolist() == FAST.time.tolist()
    assert remarks == ()


def test_the_rows_of_the_densest_channel_where_all_have_values() -> None:
    frame, remarks = on_one_grid([SLOW, FAST], None, "file")
    assert frame["time"].tolist() == [1, 2, 3, 4]
    assert frame["slow"].tolist() == [10, 20, 30, 30]
    assert frame["fast"].tolist() == [1, 4, 9, 16]
    assert len(remarks) == 1


def test_whole_numbers_and_texts_hold() -> None:
    gear = Channel("gear", SLOW.time, np.array([1, 2]))
    mode = Channel("mode", SLOW.time, np.array(["on", "off"], dtype=object))
    frame, _ = on_one_grid([FAST, gear, mode], None, "file")
    assert frame["gear"].tolist() == [1, 1, 2, 2]
    assert frame["mode"].tolist() == ["on", "on", "off", "off"]


def test_refusals() -> None:
    late = Channel("late", np.array([9.0, 10.0]), np.zeros(2))
    with pytest.raises(BadFile, match=r"file: channel 'fast' ends at 4 s before 'late' begins at 9 s"):
        on_one_grid([FAST, late], None, "file")
    with pytest.raises(BadFile, match=r"file: channel 'back': its time decreases"):
        on_one_grid([FAST, Channel("back", np.array([1.0, 0.0]), np.zeros(2))], None, "file")
    with pytest.raises(BadFile, match=r"file: several columns have the name 'fast'"):
        on_one_grid([FAST, FAST], None, "file")
