"""Distance from the training cases: plain loops beside it, and what it says of controls that are on or off."""

import numpy as np
import pytest
import torch
from builders import lag, plain_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.surrogate.training_range import AVERAGES, MOVED_CONSTANT, Position, TrainingRange

GIVEN, ROWS = 4, 200


def make(seed: int, **changed: float) -> Case:
    """An on/off control, one that varies, one that is 3 throughout; an output."""
    rng = np.random.default_rng(seed)
    switch = np.repeat(rng.integers(0, 2, ROWS // 20), 20).astype(float)
    level = np.repeat(rng.uniform(0, 10, ROWS // 10), 10) * (1 - 0.5 * switch)
    values = {"switch": switch, "level": level, "fixed": np.full(ROWS, 3.0), "output": 20 + lag(level, 10)}
    table = np.column_stack([changed.get(name, 0.0) + column for name, column in values.items()])
    return plain_case(f"case{seed}", np.arange(float(ROWS)), table.astype(np.float32), 3)


CASES = [make(seed) for seed in range(12)]


def fitted(cases: list[Case] = CASES) -> tuple[TrainingRange, Standardizer]:
    scaling, known = Standardizer(4), TrainingRange(3, 1)
    scaling.fit([case.values for case in cases])
    known.fit(cases, scaling, GIVEN)
    return known, scaling


def position(case: Case) -> Position:
    known, scaling = fitted()
    return known.position(case, scaling, GIVEN)


def test_new_cases_of_the_same_kind_are_about_as_far_as_training_cases_are_apart() -> None:
    reach = [position(make(seed)).rows.max() for seed in range(100, 110)]
    assert 0.5 < np.median(reach) < 1.2
    assert max(reach) < 2


def test_a_start_from_controls_alone_has_no_distance_and_needs_no_outputs() -> None:
    known, scaling = fitted()
    case = make(100)
    case.values[:, 3] = np.nan
    found = known.position(case, scaling, 0)
    assert found.start == 0.0
    np.testing.assert_array_equal(found.rows, known.position(make(100), scaling, GIVEN).rows)


def test_both_values_of_an_on_off_control_and_the_value_of_a_constant_one_are_in_range() -> None:
    """At its edges by each column's range: always 1."""
    rows = position(CASES[0]).rows
    assert rows.max() < 0.9
    assert position(CASES[0]).start < 0.9


def test_a_constant_control_at_another_value_is_far_but_never_infinite() -> None:
    rows = position(make(100, fixed=0.1)).rows
    assert rows.tolist() == [MOVED_CONSTANT] * ROWS


def test_a_combination_that_no_case_had_is_far_though_each_column_is_in_its_range() -> None:
    """Switched on, the level never went above 5: here it stays at 9.5."""
    case = make(100)
    values = case.values.copy()
    values[:, 0], values[:, 1] = 1.0, 9.5
    unseen = plain_case("unseen", case.time, values, 3)
    assert position(unseen).rows[-20:].min() > 1.2


def test_beyond_the_range_of_a_column_is_never_within() -> None:
    """Range 0 to 10: 12 is 1.4 halves of it from the middle."""
    high = max(float(case.values[:, 1].max()) for case in CASES)
    low = min(float(case.values[:, 1].min()) for case in CASES)
    case = make(100)
    values = case.values.copy()
    values[50, 1] = high + 0.1 * (high - low)
    assert position(plain_case("a", case.time, values, 3)).rows[50] >= 1.2 - 1e-5


def test_a_start_that_no_case_had() -> None:
    assert position(make(100, output=100.0)).start > 3


def test_features_are_the_controls_and_their_lags() -> None:
    """The nearest kept row, by plain loops over lags."""
    known, scaling = fitted()
    case = make(100)
    standard = (case.values[:, :3] - scaling.mean.numpy()[:3]) / np.array([*scaling.scale.numpy()[:2], np.inf])
    lags = [np.column_stack([lag(u, rows, u[0]) for u in standard.T]) for rows in AVERAGES]
    features = np.hstack((standard, *lags)) / known.control_scale.numpy()
    distances = np.sqrt(((features[:, None] - known.control_rows.numpy()[None]) ** 2).mean(axis=2)).min(axis=1)
    expected = distances / float(known.units[0])
    found = position(case).rows
    np.testing.assert_allclose(found[expected > 0.05], expected[expected > 0.05], rtol=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_few_cases_have_a_finite_unit(count: int) -> None:
    known, scaling = fitted(CASES[:count])
    assert torch.isfinite(known.units).all()
    assert np.isfinite(known.position(make(100), scaling, GIVEN).rows).all()


def test_one_long_record_is_measured_by_its_pieces() -> None:
    """Cases of its kind are as far from it as its pieces are from each other; by its own rows they were far away."""
    joined = np.concatenate([case.values for case in CASES])
    known, scaling = fitted([plain_case("long", np.arange(float(len(joined))), joined, 3)])
    reach = [known.position(make(seed), scaling, GIVEN).rows.max() for seed in range(100, 110)]
    assert 0.5 < np.median(reach) < 1.5


def test_it_travels_in_the_state_whatever_the_number_of_cases() -> None:
    known, scaling = fitted(CASES[:2])
    other = TrainingRange(3, 1)
    other.load_state_dict(known.state_dict())
    case = make(100)
    np.testing.assert_array_equal(other.position(case, scaling, GIVEN).rows, known.position(case, scaling, GIVEN).rows)


def test_the_distance_of_a_batch_is_that_of_its_cases_and_has_a_gradient() -> None:
    known, scaling = fitted()
    cases = [make(seed) for seed in (100, 101)]
    controls = torch.stack([scaling.standardise(torch.from_numpy(case.values))[:, :3] for case in cases])
    controls.requires_grad_()
    found = known.distance(controls)
    for case, rows in zip(cases, found, strict=True):
        np.testing.assert_allclose(rows.detach(), known.position(case, scaling, GIVEN).rows, rtol=1e-5)
    found.sum().backward()
    assert controls.grad is not None
    assert bool(controls.grad[..., :2].isfinite().all())
    assert float(controls.grad.abs().max()) > 0
