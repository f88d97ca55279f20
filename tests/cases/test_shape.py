"""Columns that move as inputs do."""

import numpy as np
import pytest

from surrogate_modeling.cases.shape import shaped_like_input

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("column", "shaped"),
    [
        (np.repeat(RNG.uniform(size=20), 15), True),
        (np.interp(np.arange(300), np.arange(0, 330, 30), RNG.uniform(size=11)), True),
        (RNG.integers(0, 2, 300).astype(float), True),
        (RNG.normal(size=300), False),
        (np.sin(np.arange(300) / 10), False),
        (np.full(300, 2.0), False),
    ],
    ids=["steps", "ramps", "switch", "noise", "sine", "constant"],
)
def test_shapes(column: np.ndarray, shaped: bool) -> None:
    assert shaped_like_input([column[:150], column[150:]]) is shaped
