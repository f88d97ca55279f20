import numpy as np
import pytest

from surrogate_modeling.cases.rows import Rows


def test_cases_of_any_length_lie_one_after_another_in_one_array() -> None:
    """The second is longer than what was guessed from the first."""
    rows = Rows(expected=3)
    given = [np.float32([[length, length + 0.5]] * length) for length in (2, 11, 1)]
    for values in given:
        rows.add(values)
    parts = rows.parts([0, 1])
    assert [part.tolist() for part in parts] == [[[2.0, 2.5]] * 2, [[11.0, 11.5]] * 11, [[1.0, 1.5]]]
    base = parts[0].base
    assert base is not None
    assert base.shape == (14, 2)
    assert all(part.base is base for part in parts)


def test_columns_are_put_in_order() -> None:
    rows = Rows(expected=2)
    rows.add(np.array([[1, 2, 3]], np.float32))
    rows.add(np.array([[4, 5, 6], [7, 8, 9]], np.float32))
    assert [part.tolist() for part in rows.parts([2, 0, 1])] == [[[3, 1, 2]], [[6, 4, 5], [9, 7, 8]]]


def test_no_case_can_be_written_to() -> None:
    rows = Rows(expected=1)
    rows.add(np.zeros((2, 1), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        rows.parts([0])[0][0, 0] = 1.0


def test_a_case_of_another_width_is_left_out() -> None:
    rows = Rows(expected=2)
    rows.add(np.zeros((2, 3), np.float32))
    rows.add(np.zeros((2, 4), np.float32))
    assert [part.shape for part in rows.parts([0, 1, 2])] == [(2, 3)]
