"""Numbers below the panels of a look, and which of many columns they show."""

import numpy as np
import pytest
from builders import case_set_of, plain_case

from surrogate_modeling.inspection.look import Look, look_at
from surrogate_modeling.inspection.picture import axis_numbers, columns_to_draw, draw
from surrogate_modeling.inspection.sampling import Sampling


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (0.18, 0.22, [0.1, 0.2, 0.5]),
        (0.18, 0.46, [0.1, 0.2, 0.5]),
        (2.0, 9.0, [2, 5, 10]),
        (1.5, 40.0, [1, 2, 5, 10, 20, 50]),
        # Seven of them would be too many.
        (1.5, 60.0, [1, 10, 100]),
        (0.09, 150.0, [0.01, 0.1, 1, 10, 100, 1000]),
        # Of eight powers of ten every second.
        (0.0005, 2000.0, [1e-4, 1e-2, 1, 1e2, 1e4]),
    ],
)
def test_numbers_of_a_logarithmic_axis_are_few_and_enclose_what_is_drawn(
    low: float, high: float, numbers: list[float]
) -> None:
    np.testing.assert_allclose(axis_numbers(low, high), numbers, rtol=1e-12)


def looked(count: int, controls: int) -> Look:
    """Of so many columns of noise, of which every tenth is the faster the later it comes."""
    rng = np.random.default_rng(0)
    cases = [
        plain_case(f"c{i}", np.arange(60.0), rng.normal(size=(60, count)).astype(np.float32), controls)
        for i in range(4)
    ]
    longest = np.where(np.arange(count) % 10 == 0, 1000.0 - np.arange(count), np.inf)
    sampling = Sampling(1.0, 1.0, np.zeros(count), longest, np.zeros(count, bool), 4, 2.0)
    return look_at(case_set_of(cases), sampling, True)


def test_few_columns_are_all_drawn() -> None:
    assert columns_to_draw(looked(70, 3)) == list(range(70))


def test_of_many_the_controls_and_the_fastest_are_drawn() -> None:
    # Of the others every tenth first, then in their order.
    tens = [*range(10, 300, 10)]
    look = looked(300, 3)
    assert columns_to_draw(look) == sorted([0, 1, 2, *tens, 3, 4, 5, 6, 7, 8, 9, 11])
    assert draw(look).startswith(b"\x89PNG")


def test_many_controls_leave_half_to_the_others() -> None:
    chosen = columns_to_draw(looked(100, 60))
    assert [sum(i < 60 for i in chosen), len(chosen)] == [20, 40]
    assert [sum(i < 90 for i in columns_to_draw(looked(100, 90))), len(chosen)] == [30, 40]
