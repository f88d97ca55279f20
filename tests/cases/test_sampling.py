"""What a grid takes from files and what it makes up, on signals whose share is known."""

import logging
from pathlib import Path

import numpy as np
import pytest
from builders import read, write_cases, write_table

from surrogate_modeling.cases.grid import Grid, decimate
from surrogate_modeling.cases.sampling import LOST_SHARE, SamplingLoss, sampling_loss
from surrogate_modeling.config.settings import Decimation

TIME = np.arange(0, 400) * 0.1


def loss_of(column: np.ndarray, step: float = 1.0, time: np.ndarray = TIME) -> SamplingLoss:
    values = column[:, None]
    return sampling_loss(time, values, *decimate(time, values, step))


def test_the_share_of_two_sines_is_that_of_their_squares() -> None:
    """Variances 1/2 of 0.1 Hz and 9/2 of 2 Hz; a grid of 1 s shows up to 0.5 Hz."""
    loss = loss_of(np.sin(0.2 * np.pi * TIME) + 3.0 * np.sin(4.0 * np.pi * TIME))
    assert loss.variance[0] == pytest.approx(5.0, rel=1e-6)
    assert loss.fast[0] == pytest.approx(4.5, rel=1e-3)
    # A step of a quarter of a second shows 2 Hz.
    assert loss.longest[0] == pytest.approx(0.25, rel=0.05)


def test_a_slow_signal_loses_nothing_worth_a_word() -> None:
    for column in (np.sin(0.2 * np.pi * TIME), TIME, np.full(400, 3.0)):
        loss = loss_of(column)
        assert loss.fast[0] <= LOST_SHARE * loss.variance[0]
        assert loss.event[0] == 0.0


def test_a_control_in_steps_loses_when_it_switches() -> None:
    """Period 20 s, on for a part d of it: harmonic n has 2 sin^2(pi n d) / (pi n)^2 of power, and n > 10 are lost."""
    loss = loss_of((TIME % 20 < 7.3) * 1.0)
    n, part = np.arange(11, 101), 7.3 / 20
    share = (2 * np.sin(np.pi * n * part) ** 2 / (np.pi * n) ** 2).sum() / (part * (1 - part))
    assert share == pytest.approx(0.036, abs=0.001)
    assert loss.fast[0] / loss.variance[0] == pytest.approx(share, abs=0.005)
    assert loss.event[0] == 0.0


def test_pulses_between_two_grid_points() -> None:
    """400 V from 10.2 to 10.6 s, where neither 10 s nor 11 s sees anything."""
    loss = loss_of(np.where((TIME > 10.15) & (TIME < 10.65), 400.0, 0.0))
    assert (loss.event[0], loss.event_time[0]) == (400.0, 10.0)
    # One that a grid point stands in is not lost.
    assert loss_of(np.where((TIME > 9.65) & (TIME < 10.35), 400.0, 0.0)).event[0] == 0.0


def test_the_bounds_that_spare_the_spectrum_never_hide_a_loss() -> None:
    """Against the spectrum of every column by itself."""
    rng = np.random.default_rng(0)
    for period in np.geomspace(0.3, 30, 25):
        column = np.sin(2 * np.pi * TIME / period) + rng.uniform(0, 2) * np.sin(0.2 * np.pi * TIME)
        power = np.abs(np.fft.rfft(column - column.mean())) ** 2
        share = power[np.fft.rfftfreq(400, 0.1) > 0.5].sum() / power.sum()
        loss = loss_of(column)
        if share > LOST_SHARE:
            assert loss.fast[0] / loss.variance[0] == pytest.approx(share, rel=0.01)


def test_the_mean_of_each_step_by_hand() -> None:
    time, values = np.arange(8) * 0.5, np.array([[0.0], [1.0], [2.0], [5.0], [4.0], [3.0], [9.0], [7.0]])
    grid, mean = decimate(time, values, 1.0, Decimation.mean)
    # From half a step before to half a step after, the latter left out: 0; 0.5 and 1; 1.5 and 2; 2.5 and 3, with 3.5.
    assert grid.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert mean[:, 0].tolist() == [0.0, 1.5, 4.5, 6.0]
    fine = decimate(time, values, 0.25, Decimation.mean)[1]
    np.testing.assert_array_equal(fine, decimate(time, values, 0.25)[1])


def test_a_mean_does_not_shift_a_ramp() -> None:
    time = np.arange(101) * 0.1
    mean = decimate(time, time[:, None], 1.0, Decimation.mean)[1]
    np.testing.assert_allclose(mean[1:-1, 0], np.arange(1, 10) - 0.05, rtol=1e-9)


def warnings_of(folder: Path, caplog: pytest.LogCaptureFixture, **options: object) -> str:
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        read(folder, **options)  # type: ignore[arg-type]
    return caplog.text


def test_files_coarser_than_the_grid_are_named_once_with_their_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_cases(tmp_path, 3, step=10.0)
    said = (
        "settings.decimate_range=1: the files have a row every 10 s, so 90% of the rows are made up by interpolation; "
        "settings.decimate_range=10 keeps the rows as they are"
    )
    assert warnings_of(tmp_path, caplog).count(said) == 1
    # From the cache, too.
    assert warnings_of(tmp_path, caplog).count(said) == 1
    assert warnings_of(tmp_path, caplog, grid=Grid(10.0, 5.0)) == ""
    assert warnings_of(tmp_path, caplog, grid=Grid(None, 5.0)) == ""


def test_a_small_share_is_said_as_look_says_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """1 Hz of a fifth of the amplitude: a share of 0.04 / 1.04; of a twentieth 0.0025 / 1.0025, too little to say."""
    slow, fast = np.sin(0.2 * np.pi * TIME), np.sin(2 * np.pi * TIME + 1)
    columns = np.column_stack((slow, slow + 0.2 * fast, slow + 0.05 * fast, slow))
    for i in range(2):
        write_table(tmp_path / f"case{i}.csv", TIME, columns)
    text = warnings_of(tmp_path, caplog)
    assert text.count("faster than the grid can show") == 1
    assert "'load': 4% of its variance is faster than the grid can show\n" in text


def test_columns_that_lose_pulses_or_waves_are_named_with_a_step_that_keeps_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(2):
        pulse = np.where((TIME > 10.15) & (TIME < 10.65), 400.0, 0.0) if i else np.zeros(400)
        slow = np.sin(0.2 * np.pi * TIME)
        write_table(tmp_path / f"case{i}.csv", TIME, np.column_stack((pulse, slow, np.sin(2 * np.pi * TIME + 1), slow)))
    for _ in range(2):
        text = warnings_of(tmp_path, caplog)
        assert "settings.decimate_range=1 loses what happens between the rows it keeps" in text
        assert "'valve'" in text
        assert "in 1 case(s) rows between two grid points lie outside of them, by up to 400 (case1 after 10 s)" in text
        assert "'T': 100% of its variance is faster than the grid can show" in text
        assert "settings.decimate_range=0.1 keeps it" in text
        assert "'load'" not in text
        assert "'p'" not in text
    assert warnings_of(tmp_path, caplog, grid=Grid(0.1, 5.0)) == ""
