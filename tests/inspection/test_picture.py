"""Numbers below the panels of a look."""

import numpy as np
import pytest

from surrogate_modeling.inspection.picture import axis_numbers


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
