"""Candidates of an adaptation: effects of units on top of those known, and the choice."""

from dataclasses import replace

import numpy as np
import pytest
from lag import lag_case, make, settings

from surrogate_modeling.adaptation.candidates import Candidate, as_it_is, with_units
from surrogate_modeling.adaptation.run import choose
from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.units import UnitEffects
from surrogate_modeling.training.portfolio import LeftOut


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return make(settings())[0].eval()


def as_predicted(surrogate: Surrogate, seed: int, offset: list[float]) -> Case:
    """A case of unit "new" that the mean unit errs on by an offset alone, in training standard deviations."""
    case = lag_case(40, seed)
    values = case.values.copy()
    values[4:, 1:] = surrogate.predict([case])[0] + np.array(offset) * surrogate.predicted_scale
    return replace(case, values=values, unit="new")


def test_the_offset_of_a_new_unit_is_found_and_predicted(surrogate: Surrogate) -> None:
    given = [as_predicted(surrogate, seed, [0.0, 1.5]) for seed in (11, 12, 13)]
    before = as_it_is(surrogate, given)
    found = with_units(before)
    assert found is not None
    assert found.nade < 0.1 * before.nade
    effects = found.surrogate.units
    assert effects is not None
    # Three cases; the least penalty shrinks by 3 / 3.01.
    np.testing.assert_allclose(effects.offset, [[0.0, 1.5]], atol=0.05)
    unknown = as_predicted(surrogate, 14, [0.0, 1.5])
    error = np.abs(found.surrogate.predict([unknown])[0] - unknown.truth(36)).max(axis=0)
    np.testing.assert_array_less(error / surrogate.predicted_scale, 0.1)
    found.calibrate()
    assert found.surrogate.band is not None
    assert (found.surrogate.band.cases, found.surrogate.band.of_copies) == (3, True)
    # On top of training on, the changes of both are told.
    both = with_units(replace(before, how="finetune", seconds=3.0, changed=("all weights",), copies_spread=False))
    assert both is not None
    assert (both.how, both.seconds, both.changed[0], both.copies_spread) == (
        "finetune and unit",
        3.0,
        "all weights",
        False,
    )
    # The surrogate before is as it was.
    assert surrogate.units is None
    assert surrogate.band is None


def test_an_effect_comes_on_top_of_the_one_known() -> None:
    """z -> 2 z + 1 -> 1.5 (2 z + 1) + 0.5 = 3 z + 2 of unit a; b stays, c is new."""
    known = UnitEffects(("a", "b"), np.array([[1.0], [4.0]]), np.array([[1.0], [0.5]]))
    further = UnitEffects(("c", "a"), np.array([[7.0], [0.5]]), np.array([[0.0], [0.5]]))
    after = known.adjusted(further)
    assert after.names == ("a", "b", "c")
    np.testing.assert_allclose(after.offset, [[2.0], [4.0], [7.0]])
    np.testing.assert_allclose(after.gain, [[2.0], [0.5], [0.0]])


def test_the_least_change_is_kept_unless_more_is_better_by_two_percent(surrogate: Surrogate) -> None:
    case = lag_case(40, 20)
    truth = case.truth(36)

    def err(how: str, error: float) -> Candidate:
        return Candidate(how, surrogate, LeftOut([case], [truth + error], [np.zeros_like(truth)]), 0.0)

    plain, unit, tuned = err("as it is", 1.0), err("unit", 0.99), err("finetune", 0.97)
    assert choose([plain, unit]) is plain
    assert choose([plain, unit, tuned]) is tuned
    assert choose([plain, err("finetune", 2.0)]) is plain
    diverged = err("as it is", float("inf"))
    assert choose([diverged, unit]) is unit
