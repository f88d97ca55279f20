"""What an exported model is compared with."""

from dataclasses import replace

import numpy as np
import pytest
from exported import CHANNELS, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.schedules import Schedule
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.export_check import largest_difference, random_cases, real_cases, reference_of


def test_a_jump_that_rounding_decides_is_no_difference_and_any_other_is() -> None:
    surrogate = make("trees")
    initial, controls = random_cases(surrogate)
    scale = surrogate.scaling.scale.numpy()[: controls.shape[2]]
    free_run = surrogate.free_run

    def rounded(initial: np.ndarray, controls: np.ndarray) -> np.ndarray:
        """As if the features were summed in another order."""
        return free_run(initial, controls + np.float32(5e-5) * scale)

    network = surrogate.network
    network.feature[0], network.threshold[0] = (
        0,
        float((controls[0, 20, 0] - surrogate.scaling.mean[0]) / scale[0]) + 2e-5,
    )
    predicted, reference = rounded(initial, controls), free_run(initial, controls)
    jumped = np.abs(predicted - reference) / surrogate.predicted_scale > 1e-2
    assert jumped.any(axis=(1, 2)).tolist() == [True, False, False]
    assert largest_difference(surrogate, rounded, [], "the file").relative < 1e-4
    np.testing.assert_array_equal(reference_of(surrogate, initial, controls, predicted)[jumped], predicted[jumped])
    # Twice the jump is no rounding.
    farther = reference + 2 * (predicted - reference)
    nearest = reference_of(surrogate, initial, controls, farther)
    np.testing.assert_allclose(nearest[jumped], predicted[jumped], rtol=1e-6)
    with pytest.raises(UserError, match="the file differs from .*; it was not written. .*: try another format"):
        largest_difference(surrogate, lambda *given: free_run(*given) * 1.01, [], "the file")


def test_one_feature_that_rounding_moves_alone_is_no_difference() -> None:
    """Inputs that move all alike would not tell: the feature is above its threshold, another one is below."""
    surrogate = make("trees")
    initial, controls = random_cases(surrogate)
    network, mean, scale = surrogate.network, surrogate.scaling.mean, surrogate.scaling.scale.numpy()
    at = [float((controls[0, 20, i] - mean[i]) / scale[i]) for i in range(2)]
    network.feature[0], network.threshold[0] = 0, at[0] + 2e-5
    network.feature[1], network.threshold[1] = 1, at[1] - 2e-5
    by = np.array([5e-5, -5e-5], np.float32) * scale[:2]
    predicted = surrogate.free_run(initial, controls + by)
    jumped = np.abs(predicted - surrogate.free_run(initial, controls)) / surrogate.predicted_scale > 1e-2
    assert jumped.any()
    np.testing.assert_array_equal(reference_of(surrogate, initial, controls, predicted)[jumped], predicted[jumped])


def test_a_continuous_network_is_compared_as_it_is() -> None:
    surrogate = make("don")
    initial, controls = random_cases(surrogate)
    np.testing.assert_array_equal(
        reference_of(surrogate, initial, controls, np.zeros((3, 60, 3))), surrogate.free_run(initial, controls)
    )


@pytest.mark.parametrize("column", [1, 2])
def test_cases_are_double_in_all_columns_where_any_stands_on_a_level(column: int) -> None:
    """A level of a control alone, or of a predicted column alone: the graph takes both parts as double."""
    channels = replace(CHANNELS, offsets=tuple(1e6 * (place == column) for place in range(5)))
    rows = np.tile(np.array([0, 1, 2, 3, 4], np.float32), (6, 1))
    surrogate = make("don")
    for number, offsets in ((np.float32, None), (np.float64, channels.offsets)):
        held = replace(channels, offsets=offsets)
        surrogate.scaling.offsets = offsets or (0.0,) * 5
        schedule = Schedule(Case("a", STEP * np.arange(6), rows, held), True)
        ((initial, controls),) = real_cases(surrogate, [schedule])
        assert initial.dtype == controls.dtype == np.dtype(number)
    together = np.concatenate((controls[0, 0], initial[0, 0]))
    assert together.tolist() == [place + 1e6 * (place == column) for place in range(5)]
