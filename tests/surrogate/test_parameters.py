"""Parameters given as one number for each case instead of a column of the controls."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_band

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import LstmConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parameters import with_parameters

# The parameters stand around a control, so that their places count.
CHANNELS = Channels(
    ("diameter", "valve", "ambient"), ("T", "p"), ("T", "p"), dict.fromkeys(("diameter", "valve", "ambient", "T", "p"), ""),
    parameters=("diameter", "ambient"),
)  # fmt: skip
IN_LEN, ROWS = 3, 12


def make_surrogate(channels: Channels = CHANNELS) -> Surrogate:
    torch.manual_seed(0)
    surrogate = Surrogate(Description(LstmConfig("lstm", dim=4, depth=1), channels, IN_LEN, 1, 1.0))
    rng = np.random.default_rng(1)
    surrogate.scaling.fit([rng.normal([14, 50, 20, 300, 2], [2, 20, 5, 9, 1], (50, 5)).astype(np.float32)])
    surrogate.band = make_band([0], [[1, 1]], [2, 3])
    return surrogate.eval()


def given(cases: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Initial rows (B, G, P) and the control without the parameters (B, T, 1)."""
    rng = np.random.default_rng(2)
    return rng.normal([300, 2], 1, (cases, IN_LEN, 2)), rng.normal(50, 20, (cases, ROWS, 1))


def test_a_number_is_a_column_of_it_in_its_place() -> None:
    controls = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    values = {"ambient": [20.0, -5.0], "diameter": 14.5}
    expected = [[[14.5, 1, 20], [14.5, 2, 20]], [[14.5, 3, -5], [14.5, 4, -5]]]
    np.testing.assert_array_equal(with_parameters(controls, values, CHANNELS), expected)
    one = with_parameters(torch.tensor([[14.0, 1.0], [14.0, 2.0]]), {"ambient": 7}, CHANNELS)
    np.testing.assert_array_equal(one, [[14, 1, 7], [14, 2, 7]])


def test_a_free_run_with_numbers_equals_one_with_columns() -> None:
    surrogate = make_surrogate()
    initial, valve = given(2)
    diameter, ambient = np.full_like(valve, 14.5), np.stack([np.full((ROWS, 1), 20.0), np.full((ROWS, 1), 35.0)])
    whole = surrogate.free_run(initial, np.concatenate([diameter, valve, ambient], axis=-1))
    values = {"diameter": 14.5, "ambient": np.array([20.0, 35.0])}
    np.testing.assert_array_equal(surrogate.free_run(initial, valve, parameters=values), whole)
    alone = surrogate.free_run(initial[1], valve[1], parameters={"diameter": 14.5, "ambient": 35})
    np.testing.assert_allclose(alone, whole[1], rtol=1e-6)
    assert np.abs(whole[0] - surrogate.free_run(initial, valve, parameters={**values, "diameter": 18})[0]).max() > 1e-3


def test_a_band_takes_numbers_as_well() -> None:
    surrogate = make_surrogate()
    initial, valve = given(2)
    values = {"diameter": 14.5, "ambient": [20.0, 35.0]}
    mean = surrogate.free_run(initial, valve, parameters=values)
    band = surrogate.free_run_band(initial, valve, parameters=values)
    np.testing.assert_array_equal(band.mean, mean)
    # Half of the band is the factor times an error of 1.
    np.testing.assert_allclose(band.upper - mean, np.broadcast_to([2.0, 3.0], mean.shape), rtol=1e-4)


def test_parameters_have_gradients() -> None:
    surrogate = make_surrogate()
    initial, valve = (torch.tensor(rows, dtype=torch.float32) for rows in given())
    diameter = torch.tensor(14.5, requires_grad=True)

    def last(value: torch.Tensor) -> torch.Tensor:
        rows = surrogate.free_run(initial, valve, parameters={"diameter": value, "ambient": 20})
        return rows[0, -1, 0]

    last(diameter).backward()
    with torch.no_grad():
        slope = (last(torch.tensor(15.0)) - last(torch.tensor(14.0))) / 1.0
    assert diameter.grad is not None
    assert float(diameter.grad) == pytest.approx(float(slope), rel=0.05)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"diameter": [1, 2, 3], "ambient": 20}, r"'diameter': shape \(3,\), expected a number, or one for each of the 2"),
        ({"diameter": "wide", "ambient": 20}, "'diameter': 'wide' where a number"),
        ({"diameter": float("nan"), "ambient": 20}, "'diameter': nan is not finite"),
        ({"diameter": 14.5}, r"controls: shape \(2, 12, 1\), expected .* beside the parameters diameter they hold valve, ambient"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_surrogate().free_run(*given(2), parameters=values)  # type: ignore[arg-type]


def test_names_that_are_no_parameters_are_refused() -> None:
    with pytest.raises(UserError, match="'diametre' is not among those of this surrogate; the nearest is 'diameter'"):
        make_surrogate().free_run(*given(), parameters={"diametre": 1})
    without = make_surrogate(replace(CHANNELS, parameters=()))
    with pytest.raises(UserError, match=r"this surrogate has none; dataset\.parameters names them"):
        without.free_run(*given(), parameters={"diameter": 1})
