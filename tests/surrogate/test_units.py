"""The offset and the gain of a unit in what a surrogate predicts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_band, make_case, make_channels
from exported import make, row_by_row, with_units

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import LstmConfig, RegressionConfig
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.stepping import Start, Step
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.description import Description, Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.one_unit import UnitSurrogate
from surrogate_modeling.surrogate.units import UnitEffects

IN_LEN = 3
# Two predicted columns, T and p.
EFFECTS = UnitEffects(("north", "south"), np.array([[0.5, 0.0], [-1.0, 0.25]]), np.array([[0.0, 0.1], [0.2, -0.5]]))


DESCRIPTION = Description(LstmConfig("lstm", dim=4, depth=1), make_channels(), IN_LEN, 1, 1.0)


def make_surrogate(units: UnitEffects | None = EFFECTS) -> Surrogate:
    torch.manual_seed(0)
    surrogate = Surrogate(DESCRIPTION)
    surrogate.scaling.fit([make_case(seed=seed).values for seed in range(3)])
    surrogate.units = units
    return surrogate.eval()


def given() -> tuple[np.ndarray, np.ndarray]:
    case = make_case(seed=5)
    return case.outputs[:IN_LEN], case.controls


def test_a_unit_scales_and_shifts_the_mean_unit_in_standard_deviations() -> None:
    surrogate = make_surrogate()
    level, scale = surrogate.scaling.level.numpy()[2:], surrogate.predicted_scale
    mean = surrogate.free_run(*given())
    np.testing.assert_array_equal(mean, make_surrogate(None).free_run(*given()))
    south = surrogate.free_run(*given(), unit="south")
    np.testing.assert_allclose(south[:, 0], level[0] + 1.2 * (mean[:, 0] - level[0]) - 1.0 * scale[0], rtol=1e-5)
    np.testing.assert_allclose(south[:, 1], level[1] + 0.5 * (mean[:, 1] - level[1]) + 0.25 * scale[1], rtol=1e-5)


def test_each_case_has_its_own_unit_and_new_ones_the_mean() -> None:
    surrogate = make_surrogate()
    initial, controls = given()
    batch = np.stack([initial] * 4), np.stack([controls] * 4)
    rows = surrogate.free_run(*batch, unit=["south", None, "new", "north"])
    for row, unit in zip(rows, ["south", None, None, "north"], strict=True):
        np.testing.assert_allclose(row, surrogate.free_run(initial, controls, unit=unit), rtol=1e-6)
    cases = [make_case(f"c{i}", 20 + i, seed=i) for i in range(3)]
    named = [replace(case, unit=unit) for case, unit in zip(cases, ("north", "new", "south"), strict=True)]
    for case, predicted in zip(named, surrogate.predict(named), strict=True):
        unit = None if case.unit == "new" else case.unit
        alone = surrogate.free_run(case.outputs[:IN_LEN], case.controls, unit=unit)
        np.testing.assert_allclose(predicted, alone, rtol=1e-5, atol=1e-6)


def test_a_typed_unit_that_is_not_known_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unit=nort: not among the 2 units of this surrogate; the nearest is 'north'"):
        make_surrogate().free_run(*given(), unit="nort")
    with pytest.raises(UserError, match="unit=north: this surrogate knows no units"):
        make_surrogate(None).free_run(*given(), unit="north")


def test_a_unit_is_checked_without_a_free_run() -> None:
    make_surrogate().require_unit("north")
    with pytest.raises(UserError, match="unit=nort: not among the 2 units of this surrogate; the nearest is 'north'"):
        make_surrogate().require_unit("nort")
    with pytest.raises(UserError, match="unit=north: this surrogate knows no units"):
        make_surrogate(None).require_unit("north")


def test_the_band_lies_around_the_unit() -> None:
    surrogate = make_surrogate()
    surrogate.band = make_band([0], [[1, 1]], [2, 3])
    banded = surrogate.free_run_band(*given(), unit="south")
    np.testing.assert_allclose(banded.mean, surrogate.free_run(*given(), unit="south"), rtol=1e-6)
    np.testing.assert_allclose(banded.upper - banded.mean, np.tile([2.0, 3.0], (37, 1)), rtol=1e-3)


def test_a_baked_in_unit_is_what_exports_hold() -> None:
    surrogate = make_surrogate()
    baked = UnitSurrogate(surrogate, "south")
    wanted = surrogate.free_run(*given(), unit="south")
    np.testing.assert_allclose(baked.free_run(*given()), wanted, rtol=1e-6)
    initial, controls = (torch.tensor(part, dtype=torch.float32)[None] for part in given())
    with torch.no_grad():
        state, step = Start(baked)(torch.cat((controls[:, :IN_LEN], initial), dim=-1)), Step(baked)
        for t, row in enumerate(wanted, start=IN_LEN):
            state, predicted = step(state, controls[:, t])
            np.testing.assert_allclose(predicted[0].numpy(), row, rtol=1e-5)
    # The surrogate itself is as it was.
    np.testing.assert_array_equal(surrogate.free_run(*given()), make_surrogate(None).free_run(*given()))
    assert surrogate.baked_unit is None
    assert baked.baked_unit == "south"


LATENT = replace(DESCRIPTION, units=("east", "south"), unit_latents=2)


def told_units(units: UnitEffects | None = None) -> Surrogate:
    """A surrogate whose network is told two units."""
    torch.manual_seed(0)
    surrogate = Surrogate(LATENT)
    surrogate.scaling.fit([make_case(seed=seed).values for seed in range(3)])
    surrogate.units = units
    assert isinstance(surrogate.network, UnitLatent)
    surrogate.network.known[:] = True
    torch.nn.init.normal_(surrogate.network.table)
    return surrogate.eval()


def test_networks_are_told_the_unit() -> None:
    """The inner network, given the latents beside the standardised controls by hand, and the effect on top."""
    surrogate = told_units(EFFECTS)
    assert surrogate.known_units == ("east", "south", "north")
    network, scaling = surrogate.network, surrogate.scaling
    assert isinstance(network, UnitLatent)
    case = make_case(seed=5)
    rows = torch.tensor((case.values - scaling.level.numpy()) / scaling.scale.numpy(), dtype=torch.float32)[None]
    level, scale = scaling.level.numpy()[2:], surrogate.predicted_scale
    for unit, row, offset, gain in (
        ("east", 0, [0.0, 0.0], [0.0, 0.0]),
        ("south", 1, EFFECTS.offset[1], EFFECTS.gain[1]),
        ("north", 2, EFFECTS.offset[0], EFFECTS.gain[0]),
        (None, 2, [0.0, 0.0], [0.0, 0.0]),
    ):
        latent = network.table[row].detach().expand(1, rows.shape[1], -1)
        beside = torch.cat((rows[..., :2], latent, rows[..., 2:]), dim=-1)
        with torch.no_grad():
            z = network.network.free_run(beside[:, :IN_LEN], beside[:, IN_LEN:, :4])[0].numpy()
        expected = level + scale * ((1 + np.array(gain)) * z + offset)
        np.testing.assert_allclose(surrogate.free_run(*given(), unit=unit), expected, rtol=1e-4)
        baked = UnitSurrogate(surrogate, unit)
        np.testing.assert_allclose(baked.free_run(*given()), expected, rtol=1e-4)
        assert (baked.known_units, baked.description.units) == ((), ())
    with pytest.raises(UserError, match="unit=west: not among the 3 units"):
        UnitSurrogate(surrogate, "west")


@pytest.mark.parametrize("units", [None, EFFECTS])
def test_what_is_made_for_an_export_is_not_saved(units: UnitEffects | None, tmp_path: Path) -> None:
    for unit in ("south", None):
        with pytest.raises(UserError, match="a surrogate of one unit cannot be saved"):
            UnitSurrogate(told_units(units), unit).save(tmp_path / "a.pth")
    assert not (tmp_path / "a.pth").exists()


def test_a_regression_is_mixed_with_a_network_that_is_told_units() -> None:
    surrogate, regressed = told_units(), make_surrogate(None)
    regression = FilterRegression(DESCRIPTION.sizes, TIME_CONSTANTS, products=0)
    regression.weight.normal_(std=0.1)
    members = [(Member("network", LATENT.model), surrogate.network), (Member("linear", RegressionConfig()), regression)]
    before = surrogate.free_run(*given(), unit="south")
    regressed.network = regression
    alone = regressed.free_run(*given())
    counted = surrogate.network.parameter_count + regression.parameter_count
    surrogate.mix(members, np.array([[0.25, 1.0], [0.75, 0.0]]))
    assert surrogate.network.parameter_count == counted
    expected = np.stack((0.25 * before[:, 0] + 0.75 * alone[:, 0], before[:, 1]), axis=1)
    np.testing.assert_allclose(surrogate.free_run(*given(), unit="south"), expected, rtol=1e-4)
    np.testing.assert_allclose(UnitSurrogate(surrogate, "south").free_run(*given()), expected, rtol=1e-4)


def test_latents_are_saved_and_units_added(tmp_path: Path) -> None:
    surrogate = told_units()
    before = surrogate.free_run(*given(), unit="south")
    surrogate.know(["west"])
    np.testing.assert_array_equal(surrogate.free_run(*given(), unit="south"), before)
    np.testing.assert_array_equal(surrogate.free_run(*given(), unit="west"), surrogate.free_run(*given()))
    surrogate.save(tmp_path / "a.pth")
    loaded = Surrogate.load(tmp_path / "a.pth")
    assert loaded.known_units == ("east", "south", "west")
    np.testing.assert_array_equal(loaded.free_run(*given(), unit="south"), before)
    loaded.description = replace(loaded.description, units=("east", "east", "west"))
    loaded.save(tmp_path / "b.pth")
    with pytest.raises(UserError, match=r"b\.pth: damaged: the names of the units"):
        Surrogate.load(tmp_path / "b.pth")


def test_units_are_saved(tmp_path: Path) -> None:
    surrogate = make_surrogate()
    surrogate.save(tmp_path / "a.pth")
    loaded = Surrogate.load(tmp_path / "a.pth")
    assert loaded.units is not None
    assert loaded.units.names == EFFECTS.names
    np.testing.assert_array_equal(loaded.free_run(*given(), unit="north"), surrogate.free_run(*given(), unit="north"))
    make_surrogate(None).save(tmp_path / "b.pth")
    assert Surrogate.load(tmp_path / "b.pth").units is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"names": ["a", "a"]}, "the names of the units"),
        ({"names": []}, "the names of the units"),
        ({"offset": torch.zeros(2, 3)}, "do not fit the predicted columns"),
        ({"gain": torch.full((2, 2), torch.nan)}, "not finite"),
    ],
)
def test_damaged_units_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        UnitEffects.from_dict({**EFFECTS.to_dict(), **changed}, 2)


@pytest.mark.parametrize(("name", "out_len", "increment"), [
    ("don", 3, False), ("don", 1, True), ("lstm", 3, True), ("dot", 1, True), ("nss", 1, True), ("ssm", 1, True),
])  # fmt: skip
def test_a_unit_is_stepped_whatever_the_recipe(name: str, out_len: int, increment: bool) -> None:
    surrogate = with_units(make(name, out_len, increment))
    initial, controls = (torch.from_numpy(part) for part in random_cases(surrogate, 2, 18))
    with torch.no_grad():
        wanted = surrogate.free_run(initial, controls, unit="new")
    for rows in (
        row_by_row(UnitSurrogate(surrogate, "new"), initial, controls),
        UnitSurrogate(surrogate, "new").free_run(initial, controls),
    ):
        torch.testing.assert_close(rows.detach(), wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_units_but_for_some_are_none_where_no_other_is_left() -> None:
    effects = UnitEffects(("a", "b"), np.array([[1.0], [2.0]]), np.zeros((2, 1)))
    left = effects.without(["a", "c"])
    assert left is not None
    assert (left.names, left.offset.tolist()) == (("b",), [[2.0]])
    assert effects.without(["a", "b"]) is None
