"""Offsets and gains of units: by hand, against an independent solution, and found in a made plant."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from builders import CONTROLS, make_case, make_channels

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.models import LstmConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.finishing import add_units_and_band
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.unit_effects import PENALTIES, FittedUnits, FreeRuns, fit_units, shrunk

IN_LEN = 2
# Offset and gain of each unit in its two columns, in training standard deviations.
TRUE = {"a": ([0.8, 0.0], [0.3, 0.0]), "b": ([-0.8, 0.0], [-0.2, 0.0]), "c": ([0.1, 0.0], [0.0, 0.0])}


def surrogate() -> Surrogate:
    made = Surrogate(Description(LstmConfig("lstm", dim=2, depth=1), make_channels(), IN_LEN, 1, 1.0))
    made.scaling.fit([make_case(seed=seed).values for seed in range(3)])
    return made.eval()


def runs(model: Surrogate, units: str, first_seed: int = 0, noise: float = 0.05) -> FreeRuns:
    """Cases whose truth is a prediction with the offset and the gain of its unit, and an error of its own."""
    level, scale = model.scaling.level.numpy()[CONTROLS:], model.predicted_scale
    cases, rows = [], []
    for i, unit in enumerate(units):
        rng = np.random.default_rng(first_seed + i)
        case = replace(make_case(f"case{first_seed + i}", 60, seed=first_seed + i), unit=unit)
        z = (case.outputs[IN_LEN:] - level) / scale
        offset, gain = TRUE[unit]
        truth = (1 + np.array(gain)) * z + offset + noise * rng.standard_normal(2)
        values = case.values.copy()
        values[IN_LEN:, CONTROLS:] = truth * scale + level
        cases.append(replace(case, values=values))
        rows.append(case.outputs[IN_LEN:])
    return FreeRuns(cases, rows)


NOTHING = FreeRuns([], [])


def test_ridge_by_hand() -> None:
    """Two cases: z is 0 in one and 1 in the other, r is 1 and 3; with penalties 1 and 1.

    (2 + 1) o + 1 g = 4 and 1 o + (1 + 1) g = 3 give o = 1 and g = 1. Without the gain 3 o = 4; without the offset 2 g = 3.
    """
    sums = np.array([2.0, 1.0, 1.0, 4.0, 3.0])[:, None]
    np.testing.assert_allclose(shrunk(sums, np.array([[1.0], [1.0]])), [[1.0], [1.0]])
    np.testing.assert_allclose(shrunk(sums, np.array([[1.0], [np.inf]])), [[4 / 3], [0.0]])
    np.testing.assert_allclose(shrunk(sums, np.array([[np.inf], [1.0]])), [[0.0], [1.5]])
    np.testing.assert_array_equal(shrunk(np.zeros((5, 1)), np.array([[1.0], [1.0]])), np.zeros((2, 1)))


def fitted(units: str, training: FreeRuns = NOTHING) -> FittedUnits:
    model = surrogate()
    found = fit_units(model, runs(model, units), training)
    assert found is not None
    return found


def test_the_units_of_a_made_plant_are_found() -> None:
    effects = fitted("aaabbbccc").effects
    assert effects.names == ("a", "b", "c")
    for u, name in enumerate(effects.names):
        offset, gain = TRUE[name]
        np.testing.assert_allclose(effects.offset[u], offset, atol=0.15)
        np.testing.assert_allclose(effects.gain[u], gain, atol=0.1)
    # Nothing differs in the second column: penalties are infinite there.
    assert not effects.offset[:, 1].any()
    assert not effects.gain[:, 1].any()


def test_a_left_out_case_does_not_know_its_own_truth() -> None:
    """The effect of a case alone of its unit is 0, and its rows are the mean unit's; that of others is of the others."""
    model = surrogate()
    left_out = runs(model, "aaabbbc")
    found = fit_units(model, left_out, NOTHING)
    assert found is not None
    assert not found.without_case.offset[6].any()
    np.testing.assert_allclose(found.rows[6], left_out.rows[6], rtol=1e-6)
    other = [i for i in range(7) if i != 2]
    alone = fit_units(model, FreeRuns([left_out.cases[i] for i in other], [left_out.rows[i] for i in other]), NOTHING)
    assert alone is not None
    np.testing.assert_allclose(found.without_case.offset[2, 0], alone.effects.offset[0, 0], atol=0.05)


def test_a_unit_with_one_case_is_shrunk() -> None:
    """Cases differ much more than in the plant above, so that the strengths shrink: one case of a counts less than six."""
    model = surrogate()
    noisy = fit_units(model, runs(model, "a" + "b" * 8 + "c" * 8, noise=0.4), NOTHING)
    assert noisy is not None
    alone, many = runs(model, "a", noise=0.4), np.abs(noisy.effects.offset[0, 0])
    level, scale = model.scaling.level.numpy()[CONTROLS:], model.predicted_scale
    residual = ((alone.cases[0].truth(58) - alone.rows[0]) / scale)[:, 0].mean()
    assert level.shape == (2,)
    assert many < abs(residual)


def test_training_cases_of_a_unit_help_where_left_out_ones_say_so() -> None:
    """No two left-out cases are of one unit: only the training cases can tell what theirs has of its own."""
    model = surrogate()
    assert fit_units(model, runs(model, "abc"), NOTHING) is None
    found = fitted("abc", runs(model, "aabbcc", first_seed=50))
    np.testing.assert_allclose(found.effects.offset[:2, 0], [0.8, -0.8], atol=0.15)


def test_units_that_do_not_differ_get_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    model = surrogate()
    same = runs(model, "cccccc")
    cases = [replace(case, unit="ab"[i % 2]) for i, case in enumerate(same.cases)]
    shifted = FreeRuns(cases, [rows + 1e-3 * np.random.default_rng(i).normal() for i, rows in enumerate(same.rows)])
    rng = np.random.default_rng(0)
    scattered = [case.truth(58) + 0.3 * model.predicted_scale * rng.standard_normal(2) for case in cases]
    with caplog.at_level(logging.INFO):
        assert fit_units(model, FreeRuns(cases, scattered), NOTHING) is None
        assert fit_units(model, FreeRuns([replace(case, unit=None) for case in cases], shifted.rows), NOTHING) is None
        assert fit_units(model, FreeRuns(cases, [np.full_like(rows, np.nan) for rows in same.rows]), NOTHING) is None
    assert "take nothing from the error of cases that are left out" in caplog.text
    assert "no case of a known unit is left out" in caplog.text
    assert "diverged" in caplog.text


def test_the_last_penalty_is_no_effect() -> None:
    assert PENALTIES[-1] == np.inf
    assert sorted(PENALTIES) == list(PENALTIES)


def test_the_band_is_calibrated_on_effects_that_have_not_seen_its_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prediction is that of a table, so that the errors of the band's cases are those of ``rows``."""
    model = surrogate()
    table = runs(model, "aaabbbccc")
    known = {case.name: rows for case, rows in zip(table.cases, table.rows, strict=True)}
    offset, scale = model.scaling.level.numpy()[CONTROLS:], model.predicted_scale

    def predict(cases: list[Case]) -> list[np.ndarray]:
        found = []
        for case in cases:
            z, unit = (known[case.name] - offset) / scale, case.unit
            if model.units is not None and unit in model.units.names:
                u = model.units.names.index(unit)
                z = (1 + model.units.gain[u]) * z + model.units.offset[u]
            found.append(z * scale + offset)
        return found

    monkeypatch.setattr(model, "predict", predict)
    monkeypatch.setattr(model, "predict_spread", lambda cases: (predict(cases), [0 * rows for rows in predict(cases)]))
    split = CaseSplit([replace(table.cases[0], unit=None)], list(table.cases), [])
    add_units_and_band(model, split, None, has_units=True)
    assert model.units is not None
    assert model.band is not None
    assert model.units.names == ("a", "b", "c")
    fit = fit_units(model, table, FreeRuns(split.training, predict(split.training)))
    assert fit is not None
    errors = [np.abs(rows - case.truth(58)) for rows, case in zip(fit.rows, table.cases, strict=True)]
    growth = model.band.growth(58)
    ratios = np.sort(np.concatenate([(error / growth)[:, 0] for error in errors]))
    assert ratios[int(0.95 * len(ratios))] <= model.band.factor[0] * (1 + 1e-6)
    # With free runs of models that had not seen their cases, these are what the band rests on.
    model.units = model.band = None
    add_units_and_band(
        model,
        split,
        LeftOut(list(table.cases), list(table.rows), [0.1 * np.ones_like(rows) for rows in table.rows]),
        has_units=True,
    )
    assert model.units.names == ("a", "b", "c")
    assert model.band.cases == 9
    assert not model.band.of_copies
    add_units_and_band(model_without := surrogate(), replace(split, validation=[]), None, has_units=False)
    assert model_without.units is None
