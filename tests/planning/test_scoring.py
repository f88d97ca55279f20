"""What a surrogate does not know of a schedule, and the batch: distances by hand, spread, band, diversity."""

import numpy as np
import pytest
import torch
from exported import IN_LEN, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import By
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.planning.candidates import Candidate
from surrogate_modeling.planning.scoring import COMPARED_ROWS, Unknown, choose, look_at
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.units import UnitEffects


def fitted(name: str = "don") -> Surrogate:
    """A surrogate whose training range is that of a few random cases."""
    surrogate = make(name)
    initial, controls = random_cases(surrogate, 4, 30)
    rows = [np.concatenate((some, np.repeat(some[-1:], 30, axis=0))) for some in initial]
    time = STEP * np.arange(30 + IN_LEN)
    channels = surrogate.description.channels
    cases = [
        Case(f"c{i}", time, np.column_stack(pair).astype(np.float32), channels)
        for i, pair in enumerate(zip(controls, rows, strict=True))
    ]
    surrogate.training_range.fit(cases, surrogate.scaling, IN_LEN)
    return surrogate


def candidate(number: int, rows: np.ndarray) -> Candidate:
    return Candidate(f"c{number}", number, "", STEP * np.arange(len(rows)), rows, rows)


def test_the_distance_of_a_schedule_is_that_of_its_rows() -> None:
    surrogate = fitted()
    _, controls = random_cases(surrogate, 3, 40)
    far = np.array(controls[2], dtype=np.float64)
    far[:, 1] += 7 * float(surrogate.scaling.scale[1])
    unknown = look_at(surrogate, [candidate(i, rows) for i, rows in enumerate((controls[0], controls[1], far))])
    scaled = surrogate.scaling.standardise(torch.as_tensor(controls[0])[None], slice(0, controls[0].shape[1]))
    rows = surrogate.training_range.distance(scaled)[0].numpy()
    places = np.linspace(0, len(rows) - 1, COMPARED_ROWS).round().astype(int)
    np.testing.assert_allclose(unknown.near[0], rows[places], rtol=1e-4)
    assert unknown.distance[2] > 2 * unknown.distance[:2].max()
    assert unknown.outside[2] == 1.0
    assert unknown.farthest[2] == surrogate.description.channels.controls[1]


def test_members_that_differ_have_a_spread_and_a_single_network_has_none() -> None:
    _, controls = random_cases(fitted(), 2, 40)
    some = [candidate(i, rows) for i, rows in enumerate(controls)]
    single = look_at(fitted(), some)
    assert not single.spread.any()
    with pytest.raises(UserError, match="by=spread: the surrogate cannot tell, as it has one network"):
        choose(single, By.spread, 1, 0)
    with pytest.raises(UserError, match="by=band: .* it has no band"):
        choose(single, By.band, 1, 0)


@pytest.mark.parametrize("alone", [0, 1])
def test_a_mixture_in_which_one_member_has_all_weight_has_no_spread(alone: int) -> None:
    surrogate = fitted("ssm-stacked")
    assert isinstance(surrogate.network, MixtureNetwork)
    surrogate.network.weight.zero_()[alone] = 1.0
    single = look_at(surrogate, [candidate(0, random_cases(surrogate, 1, 40)[1][0])])
    assert single.spread.tolist() == [0.0]
    with pytest.raises(UserError, match="by=spread: the surrogate cannot tell, .*; use by=distance"):
        choose(single, By.spread, 1, 0)


def test_the_spread_is_that_of_the_unit() -> None:
    """A gain of a half in every column makes the members of a portfolio differ by half as much again."""
    surrogate = fitted("portfolio")
    columns = len(surrogate.description.channels.predicted)
    surrogate.units = UnitEffects(
        ("plain", "strong"), np.zeros((2, columns)), np.array([[0.0], [0.5]]).repeat(columns, 1)
    )
    _, controls = random_cases(surrogate, 2, 40)
    some = [candidate(i, rows) for i, rows in enumerate(controls)]
    mean, plain, strong = (look_at(surrogate, some, unit).spread for unit in (None, "plain", "strong"))
    assert mean.all()
    np.testing.assert_allclose(plain, mean, rtol=1e-5)
    np.testing.assert_allclose(strong, 1.5 * mean, rtol=1e-4)


def unknown(places: list[float], spread: list[float]) -> Unknown:
    """Candidates of one row with one feature; the training row is at 0."""
    at = np.array(places, dtype=np.float32)[:, None]
    return Unknown(at[:, :, None], np.abs(at), np.array(spread), np.full(len(at), np.nan), ["u"] * len(at))


def test_a_batch_by_distance_is_spread_out() -> None:
    """The farthest is at 10; what is at 9.9 is then near to it, so 5 comes next, then -3, then 1."""
    chosen = choose(unknown([1, 9.9, 5, 10, -3], [0.0] * 5), By.distance, 4, 0)
    assert [item.place for item in chosen] == [3, 2, 4, 0]
    np.testing.assert_allclose([item.distance for item in chosen], [10, 5, 3, 1], rtol=1e-6)


def test_a_batch_by_spread_weighs_distance_with_what_the_members_say() -> None:
    """Products at first: 3, 9.9, 20, 10, 3; then 5 is there, and the two far ones count for 4.9 and 5."""
    found = unknown([1, 9.9, 5, 10, -3], [3.0, 1.0, 4.0, 1.0, 1.0])
    assert [item.place for item in choose(found, By.spread, 3, 0)] == [2, 3, 0]
    diverging = unknown([1, 2], [np.inf, 1.0])
    assert choose(diverging, By.spread, 1, 0)[0].place == 1


def test_a_random_batch_depends_on_the_seed_and_has_no_schedule_twice() -> None:
    found = unknown(list(range(20)), [0.0] * 20)
    batches = [[item.place for item in choose(found, By.random, 8, seed)] for seed in (0, 0, 1)]
    assert batches[0] == batches[1] != batches[2]
    assert len(set(batches[0])) == 8
