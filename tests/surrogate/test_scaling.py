"""Standardisation against numpy on all training rows together."""

import numpy as np
import pytest
import torch
from builders import smooth_values

from surrogate_modeling.surrogate.scaling import Standardizer


def test_mean_and_population_deviation_of_all_rows() -> None:
    cases = [smooth_values(rows, rows).astype(np.float32) for rows in (10, 70, 33)]
    scaling = Standardizer(4)
    assert scaling.fit(cases) == []
    rows = np.concatenate(cases).astype(np.float64)
    np.testing.assert_allclose(scaling.mean, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, rows.std(axis=0), rtol=1e-6)


def test_a_small_swing_on_a_high_level_is_a_signal() -> None:
    pressure = (1e6 + 50 * np.sin(np.arange(5000) / 7)).astype(np.float32)[:, None]
    scaling = Standardizer(1)
    assert scaling.fit([pressure]) == []
    assert float(scaling.scale[0]) == pytest.approx(50 / np.sqrt(2), rel=1e-2)


@pytest.mark.parametrize("level", [0.0, 3.0, -1e7, 101325.7, 1e-30])
def test_constant_columns_are_scaled_by_one_and_not_seen(level: float) -> None:
    cases = [np.full((rows, 2), level, np.float32) for rows in (20, 1000)]
    for case in cases:
        case[:, 1] = np.arange(len(case))
    scaling = Standardizer(2)
    assert scaling.fit(cases) == [0]
    assert float(scaling.scale[0]) == 1.0
    assert float(scaling.mean[0]) == pytest.approx(level, rel=1e-6)
    moved = torch.tensor([[level + 1e5, 0.0]])
    assert float(scaling.standardise(moved)[0, 0]) == 0.0
    assert float(scaling.restore(torch.zeros(1, 2))[0, 0]) == pytest.approx(level, rel=1e-6)


def test_offsets_are_taken_off_in_double() -> None:
    """1e12 + 1e4 i: the standardised values are those of 1e4 i."""
    rows = 1e4 * np.arange(10.0)
    plain, shifted = Standardizer(1), Standardizer(1, [1e12 + 4e4])
    plain.fit([rows.astype(np.float32)[:, None]])
    shifted.fit([(rows - 4e4).astype(np.float32)[:, None]])
    values = torch.from_numpy(1e12 + rows)[:, None]
    standard = shifted.standardise(values)
    assert standard.dtype == torch.float32
    torch.testing.assert_close(standard[:, 0], plain.standardise(torch.from_numpy(rows).float()[:, None])[:, 0])
    torch.testing.assert_close(shifted.restore(standard), values, rtol=0, atol=0.1)
    assert (float(shifted.low[0]), float(shifted.high[0])) == (1e12, 1e12 + 9e4)
    assert float(shifted.level[0]) == 1e12 + 4.5e4


def test_rows_as_cases_hold_them_keep_their_type() -> None:
    """1 and 3, less an offset of 100: mean 2, deviation 1; the second column never moves."""
    scaling = Standardizer(2, [100.0, 0.0])
    scaling.fit([np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)])
    standard = scaling.standardise_held(torch.tensor([[4.5, 7.0]], dtype=torch.float64))
    assert (standard.dtype, standard.tolist()) == (torch.float64, [[2.5, 0.0]])
    assert scaling.restore_held(torch.tensor([[2.5, 0.0]])).tolist() == [[4.5, 5.0]]
    assert scaling.restore_held(torch.tensor([3.0]), slice(1, None)).tolist() == [8.0]


def test_constant_within_each_case_but_not_among_them() -> None:
    scaling = Standardizer(1)
    assert scaling.fit([np.full((10, 1), 1.0, np.float32), np.full((10, 1), 3.0, np.float32)]) == []
    assert (float(scaling.mean[0]), float(scaling.scale[0])) == (2.0, 1.0)


def test_restore_undoes_standardise_on_any_leading_shape_and_slice() -> None:
    scaling = Standardizer(4)
    scaling.fit([smooth_values(200).astype(np.float32)])
    values = torch.from_numpy(smooth_values(60, 3).astype(np.float32)).reshape(2, 30, 4)
    torch.testing.assert_close(scaling.restore(scaling.standardise(values)), values)
    part = scaling.standardise(values[..., 2:], slice(2, None))
    torch.testing.assert_close(part, scaling.standardise(values)[..., 2:])
    torch.testing.assert_close(scaling.restore(part, slice(2, None)), values[..., 2:])


def test_travels_in_the_state_of_the_network() -> None:
    scaling, other = Standardizer(4), Standardizer(4)
    scaling.fit([smooth_values(200).astype(np.float32)])
    other.load_state_dict(scaling.state_dict())
    torch.testing.assert_close(other.scale, scaling.scale, rtol=0, atol=0)
    assert not any(buffer.requires_grad for buffer in scaling.buffers())
