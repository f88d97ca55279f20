"""Cases that reach far beyond all others."""

from pathlib import Path

import numpy as np
import pytest
from builders import read, smooth_values, write_cases, write_table

from surrogate_modeling.cases.excess import Excess, find_excesses


def found(*columns: list[float]) -> tuple[Excess, ...]:
    """Of columns y0, y1, ... in bar: the largest absolute value in cases a, b, c, ..."""
    names = [f"y{i}" for i in range(len(columns))]
    return find_excesses("abcdefghijkl"[: len(columns[0])], names, ["bar"] * len(columns), np.transpose(columns))


def test_a_diverged_case_is_named_with_its_worst_column() -> None:
    (excess,) = found([1, 2, 300, 1], [1, 3, 4e9, 2], [5, 6, 7, 8])
    assert excess == Excess("c", ("y1", "y0"), 4e9, 3.0, "bar")
    assert str(excess) == (
        "c: reaches 4e+09 bar in column 'y1' (and so in 1 more column), the other cases at most 3 bar"
    )


def test_two_of_twelve_and_the_worst_comes_first() -> None:
    excesses = found([1, 2, 1, 5e3, 1, 2, 1, 2, 9e9, 1, 2, 1])
    assert [(excess.case, excess.size, excess.usual) for excess in excesses] == [("i", 9e9, 2), ("d", 5e3, 2)]


@pytest.mark.parametrize(
    "column",
    [
        # A hundred times is not beyond.
        [1, 2, 200, 1, 2],
        # Nearly still in all but one; zero in all but one.
        [1e-9, 1e-9, 5, 1e-9, 1e-9],
        [0, 0, 5, 0, 0],
        # Sizes of all orders.
        [1e-4, 1e-2, 1, 1e2, 1e5],
        # Two of five are a kind of their own, and three cases have no usual one.
        [1, 1, 1, 1e4, 1e4],
        [1, 1, 1e9],
    ],
)
def test_no_false_alarm(column: list[float]) -> None:
    assert found(column) == ()


def test_cases_of_a_folder(tmp_path: Path) -> None:
    write_cases(tmp_path, 5)
    assert read(tmp_path).excesses == ()
    values = smooth_values(40)
    values[30:, 2] = -7e6
    write_table(tmp_path / "case5.csv", np.arange(40.0), values)
    (excess,) = read(tmp_path).excesses
    assert (excess.case, excess.columns, excess.size, excess.unit) == ("case5", ("T",), 7e6, "degC")
