"""Decimation against numpy.interp, and on grids where the last sample must not be lost."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from surrogate_modeling.cases.grid import decimate


@pytest.mark.parametrize("step", [0.25, 1.0, 3.7, 40.0])
def test_equals_numpy_interp_on_uneven_samples(step: float) -> None:
    rng = np.random.default_rng(1)
    time = -3.0 + np.cumsum(rng.uniform(0.05, 2.0, 200))
    values = rng.normal(size=(200, 3)) * [1.0, 1e6, 1e-6]
    grid, found = decimate(time, values, step)
    count = int((time[-1] - time[0]) // step) + 1
    assert grid.tolist() == [time[0] + k * step for k in range(count)]
    expected = np.column_stack([np.interp(grid, time, column) for column in values.T])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
    assert (grid.dtype, found.dtype) == (np.float64, np.float64)


def test_by_hand() -> None:
    grid, values = decimate(np.array([0.0, 2.0, 3.0, 7.0]), np.array([[0.0], [4.0], [1.0], [9.0]]), 1.5)
    assert grid.tolist() == [0.0, 1.5, 3.0, 4.5, 6.0]
    assert values[:, 0].tolist() == [0.0, 3.0, 1.0, 4.0, 7.0]


def test_a_step_longer_than_the_case_leaves_the_first_row() -> None:
    grid, values = decimate(np.array([5.0, 6.0]), np.array([[1.0], [2.0]]), 10.0)
    assert (grid.tolist(), values.tolist()) == ([5.0], [[1.0]])


@given(
    first=st.one_of(st.integers(-10_000, 10_000), st.integers(16_000_000_000, 17_000_000_000)),
    rows=st.integers(2, 3000),
    every=st.integers(1, 50),
    unit=st.sampled_from([10, 100, 1000]),
)
@example(first=16000000004, rows=8, every=1, unit=10)
@example(first=0, rows=4, every=3, unit=10)
def test_the_last_sample_is_kept_when_it_falls_on_the_grid(first: int, rows: int, every: int, unit: int) -> None:
    """Times as a file holds them, e.g. 0.1, 0.2, 0.3 or a clock of 1.6e9 s; samples count up, so values tell rows."""
    time = np.array([float(f"{(first + k) / unit:.3f}") for k in range(rows)])
    grid, values = decimate(time, np.arange(rows, dtype=float)[:, None], every / unit)
    kept = np.arange(0, rows, every)
    assert len(grid) == len(kept)
    # A float64 clock of 1.6e9 s resolves 2e-7 s: against steps of 1 ms that is 2e-4 of a sample.
    np.testing.assert_allclose(values[:, 0], kept, rtol=1e-6, atol=1e-9 + 4 * np.spacing(abs(time).max()) * unit)
    assert grid[-1] == pytest.approx(time[kept[-1]], abs=1e-6 * every / unit + 4 * np.spacing(abs(time).max()))


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=60), st.floats(0.005, 20))
def test_never_leaves_the_range_of_the_samples(steps: list[float], step: float) -> None:
    time = np.cumsum(steps)
    values = np.cos(7 * time)[:, None]
    grid, found = decimate(time, values, step)
    assert grid[0] == time[0]
    assert time[-1] - step < grid[-1] * (1 + 1e-9) + 1e-6 * step
    assert found.min() >= values.min() - 1e-15
    assert found.max() <= values.max() + 1e-15
