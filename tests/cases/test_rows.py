import numpy as np
import pytest

from surrogate_modeling.cases.rows import Rows


def test_cases_of_any_length_lie_one_after_another_in_one_array() -> None:
    """The second is longer than what was guessed from the first."""
    rows = Rows(expected=3)
    given = [np.float32([[length, length + 0.5]] * length) for length in (2, 11, 1)]
    for values in given:
        rows.add(values)
    table = rows.table(["a", "b", "c"], [0, 1])
    assert table.values.tolist() == [*[[2.0, 2.5]] * 2, *[[11.0, 11.5]] * 11, [1.0, 1.5]]
    assert table.first == {"a": 0, "b": 2, "c": 13}
    assert table.rows_of("b", 11).tolist() == [[11.0, 11.5]] * 11
    assert all(np.shares_memory(table.rows_of(name, 1), table.values) for name in "abc")


def test_columns_are_put_in_order() -> None:
    rows = Rows(expected=2)
    rows.add(np.array([[1, 2, 3]], np.float32))
    rows.add(np.array([[4, 5, 6], [7, 8, 9]], np.float32))
    assert rows.table(["a", "b"], [2, 0, 1]).values.tolist() == [[3, 1, 2], [6, 4, 5], [9, 7, 8]]


def test_no_case_can_be_written_to() -> None:
    rows = Rows(expected=1)
    rows.add(np.zeros((2, 1), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        rows.table(["a"], [0]).rows_of("a", 2)[0, 0] = 1.0


def test_a_case_of_another_width_is_left_out() -> None:
    rows = Rows(expected=2)
    rows.add(np.zeros((2, 3), np.float32))
    rows.add(np.zeros((2, 4), np.float32))
    assert rows.table(["a"], [0, 1, 2]).values.shape == (2, 3)
