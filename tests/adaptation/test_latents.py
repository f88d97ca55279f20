"""Latents of new units: those that made the cases are found, and little is believed of what says little."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lag import CHANNELS, lag_case

from surrogate_modeling.adaptation import latents as latents_module
from surrogate_modeling.adaptation.candidates import Candidate, as_it_is
from surrogate_modeling.adaptation.latents import fitted_to, told_of_units, with_latents
from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.models import NssConfig
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.one_unit import UnitSurrogate
from surrogate_modeling.surrogate.units import UnitEffects

IN_LEN = 4
OLD = tuple(f"old{i}" for i in range(6))


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    """A surrogate of six units, with random weights and latents."""
    torch.manual_seed(0)
    made = Surrogate(
        Description(NssConfig("nss", states=4, width=8), CHANNELS, IN_LEN, 1, 1.0, units=OLD, unit_latents=2)
    )
    made.scaling.fit([lag_case(60, i).values for i in range(4)])
    network = told(made)
    network.known[:] = True
    for weight in (network.table, *network.network.parameters()):
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.5)
    return made.eval()


def told(surrogate: Surrogate) -> UnitLatent:
    assert isinstance(surrogate.network, UnitLatent)
    return surrogate.network


def cases_of(surrogate: Surrogate, latent: list[float], unit: str, count: int, noise: float = 0.0) -> list[Case]:
    """Cases that the networks predict with a latent, and noise in training standard deviations."""
    known = told_of_units(surrogate, [replace(lag_case(60, 0), unit=unit)])
    with torch.no_grad():
        told(known).table[-2] = torch.tensor(latent)
    made = []
    for seed in range(count):
        case = replace(lag_case(60, 20 + seed), name=f"new{seed}", unit=unit)
        values = case.values.copy()
        error = noise * np.random.default_rng(seed).standard_normal((60 - IN_LEN, 2)) * surrogate.predicted_scale
        values[IN_LEN:, 1:] = known.predict([case])[0] + error
        made.append(replace(case, values=values))
    return made


def latents_of(candidate: Candidate) -> np.ndarray:
    return told(candidate.surrogate).table.detach().numpy()


def test_the_latent_that_made_the_cases_is_found(surrogate: Surrogate) -> None:
    given = cases_of(surrogate, [0.8, -0.6], "new", 4)
    before = as_it_is(surrogate, given)
    found = with_latents(before)
    assert found is not None
    assert found.how == "latent"
    assert found.nade < 0.1 * before.nade
    np.testing.assert_allclose(latents_of(found)[6], [0.8, -0.6], atol=0.1)
    # All else is as it was, here and in the surrogate before.
    np.testing.assert_array_equal(latents_of(found)[[0, 1, 2, 3, 4, 5, 7]], latents_of(before))
    for name, weight in told(surrogate).network.named_parameters():
        torch.testing.assert_close(told(found.surrogate).network.get_parameter(name), weight, rtol=0, atol=0)
    assert found.surrogate.known_units == (*OLD, "new")
    assert surrogate.known_units == OLD
    assert found.changed == ("latent of unit 'new': 2 numbers in each of 1 networks",)
    unseen = cases_of(surrogate, [0.8, -0.6], "new", 6)[5]
    error = np.abs(found.surrogate.predict([unseen])[0] - unseen.truth(60 - IN_LEN)).mean(axis=0)
    np.testing.assert_array_less(error / surrogate.predicted_scale, 0.05)


def test_latents_of_known_units_stay(surrogate: Surrogate) -> None:
    """One case says less than what they were trained on; beside it a new unit is fitted."""
    known = cases_of(surrogate, [0.8, -0.6], "old2", 2)
    assert with_latents(as_it_is(surrogate, known)) is None
    new = [replace(case, name=f"{case.name}b") for case in cases_of(surrogate, [-0.5, 0.5], "new", 3)]
    found = with_latents(as_it_is(surrogate, [*known, *new]))
    assert found is not None
    assert found.surrogate.known_units == (*OLD, "new")
    np.testing.assert_allclose(latents_of(found)[6], [-0.5, 0.5], atol=0.1)
    np.testing.assert_array_equal(latents_of(found)[:6], latents_of(as_it_is(surrogate, []))[:6])


def test_a_unit_that_a_network_never_saw_is_told_apart_from_the_mean_unit(surrogate: Surrogate) -> None:
    """By name it is known, as other folds had its cases; its latent is then another one than that of all the rest."""
    partial = told_of_units(surrogate, [])
    told(partial).known[4] = False
    case = replace(lag_case(60, 3), unit="old4")
    mean = partial.predict([replace(case, unit=None)])[0]
    np.testing.assert_array_equal(partial.predict([case])[0], mean)
    knows = told_of_units(partial, [case])
    assert knows.known_units == OLD
    np.testing.assert_array_equal(knows.predict([case])[0], mean)
    with torch.no_grad():
        told(knows).table[4] += 1.0
    np.testing.assert_array_equal(knows.predict([replace(case, unit=None)])[0], mean)
    assert np.abs(knows.predict([case])[0] - mean).max() > 0.0


def test_an_offset_that_was_found_before_gives_way_to_the_latent(surrogate: Surrogate) -> None:
    given = cases_of(surrogate, [0.8, -0.6], "new", 4)
    shifted = told_of_units(surrogate, [])
    shifted.units = UnitEffects(("old1", "new"), np.array([[0.3, 0.0], [1.0, -1.0]]), np.zeros((2, 2)))
    found = with_latents(as_it_is(shifted, given))
    assert found is not None
    assert found.nade < 0.02
    assert found.surrogate.units is not None
    assert found.surrogate.units.names == ("old1",)
    shifted.units = shifted.units.without(["old1"])
    again = with_latents(as_it_is(shifted, given))
    assert again is not None
    assert (again.nade, again.surrogate.units) == (pytest.approx(found.nade), None)


def test_each_unit_has_windows_however_many_cases_there_are(
    surrogate: Surrogate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents_module, "MAX_WINDOWS", 4)
    many = cases_of(surrogate, [0.8, -0.6], "many", 6)
    few = [replace(case, name=f"{case.name}b") for case in cases_of(surrogate, [-0.5, 0.5], "few", 2)]
    found = fitted_to(surrogate, [*many, *few])
    np.testing.assert_allclose(told(found).table[6:8].detach(), [[0.8, -0.6], [-0.5, 0.5]], atol=0.2)


def test_fits_that_would_take_too_long_are_left(surrogate: Surrogate, caplog: pytest.LogCaptureFixture) -> None:
    before = as_it_is(surrogate, cases_of(surrogate, [0.8, -0.6], "new", 2))
    assert with_latents(before, max_minutes=1e-6) is None
    assert "more than max_minutes" in caplog.text


def test_a_latent_that_takes_little_from_the_error_stays_near_the_others(surrogate: Surrogate) -> None:
    """The error is nearly all noise, which no latent explains: the prior decides where the data do not."""
    true, mean = np.array([0.8, -0.6]), latents_of(as_it_is(surrogate, []))[:6].mean(axis=0)
    away = []
    for noise in (0.0, 30.0):
        given = cases_of(surrogate, true.tolist(), "new", 2, noise)
        found = fitted_to(surrogate, given)
        away.append(np.linalg.norm(told(found).table[6].detach().numpy() - mean) / np.linalg.norm(true - mean))
    assert away[0] > 0.9
    assert away[1] < 0.1


def test_nothing_is_fitted_where_networks_are_told_no_units(surrogate: Surrogate) -> None:
    plain = UnitSurrogate(surrogate, None)
    assert with_latents(as_it_is(plain, cases_of(surrogate, [0.0, 0.0], "new", 2))) is None
    nameless = [replace(case, unit=None) for case in cases_of(surrogate, [0.0, 0.0], "new", 2)]
    assert with_latents(as_it_is(surrogate, nameless)) is None
