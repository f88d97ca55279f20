"""Files cut into cases, whole or in blocks."""

import numpy as np
import pytest

from surrogate_modeling.importing.rows import Rows
from surrogate_modeling.importing.segmentation import Cutter, Cutting, cutting_of

TIME = np.array([0, 1, 2, 50, 51, 52, 53, 3, 4], float)
CELLS = np.array(["a", "a", "b", "b", "b", "b", "c", "c", "a"], dtype=object)


def cut(cutting: Cutting, block: int) -> list[tuple[float, list[float], str]]:
    cutter, found = Cutter(cutting), []
    for first in range(0, len(TIME), block):
        part = slice(first, first + block)
        rows = Rows(TIME[part], TIME[part, None], np.arange(len(TIME))[part] + 2)
        found += cutter.feed(rows, CELLS[part])
    return [(segment.start, segment.rows.time.tolist(), segment.label) for segment in [*found, *cutter.finish()]]


@pytest.mark.parametrize("block", [1, 2, 4, 9])
def test_the_size_of_the_blocks_makes_no_difference(block: int) -> None:
    assert cut(Cutting(column="x"), block) == [
        (0, [0, 1], "a"), (2, [0, 48, 49, 50], "b"), (53, [0, -50], "c"), (4, [0], "a"),
    ]  # fmt: skip
    assert cut(Cutting(), block) == [(0, TIME.tolist(), "")]
    if block > 1:  # the usual step is that of the first block
        assert cut(Cutting(gap=5), block) == [(0, [0, 1, 2], ""), (50, [0, 1, 2, 3], ""), (3, [0, 1], "")]


def test_lengths_count_from_the_first_row() -> None:
    assert [start for start, _, _ in cut(Cutting(length=2), 3)] == [0, 2, 50, 52, 3, 4]


def test_the_key_is_a_column_gaps_or_seconds() -> None:
    assert cutting_of(None, None, 5) == Cutting()
    assert cutting_of("run", "run", 5) == Cutting(column="run")
    assert cutting_of("gaps", None, 5) == Cutting(gap=5)
    assert cutting_of("600", None, 5) == Cutting(length=600)
    for wrong in ("nope", "-1", "inf", "nan"):
        with pytest.raises(ValueError, match=r".*"):
            cutting_of(wrong, None, 5)
