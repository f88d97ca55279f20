"""Baselines against plain loops and least squares."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import lag, make_case, plain_case
from regressions import CONTROLS, IN_LEN, linear, linear_case, quadratic, scaled

from surrogate_modeling.cases.case import Case
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.filters import MAX_PRODUCTS, TIME_CONSTANTS
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.baselines import Baseline, persistence, products_of
from surrogate_modeling.training.regression_rows import features_of, standardised


def test_persistence_by_hand() -> None:
    case = plain_case("a", np.arange(5.0), np.arange(15, dtype=np.float32).reshape(5, 3), 1)
    (rows,) = persistence([case], 2)
    assert rows.tolist() == [[4.0, 5.0]] * 3


def test_linear_recovers_a_system_of_its_own_class() -> None:
    training = [linear_case(f"t{i}", i) for i in range(8)]
    validation, test = [linear_case("v", 50)], [linear_case("a", 60), linear_case("b", 61, rows=90)]
    baseline = linear(training, validation)
    assert {5.0, 15.0, 50.0} <= set(baseline.time_constants)
    for case, rows in zip(test, baseline.predict(test), strict=True):
        truth = case.values[IN_LEN:, CONTROLS:]
        assert rows.shape == truth.shape
        # Of the spread of each column; what is left is the smallest penalty.
        assert (np.abs(rows - truth).max(axis=0) / truth.std(axis=0)).max() < 1e-3


def slow_features(case: Case, scaling: Standardizer, constants: tuple[float, ...]) -> np.ndarray:
    """The documented features, one row and one number at a time."""
    values = (case.values.astype(np.float64) - scaling.mean.double().numpy()) / scaling.scale.double().numpy()
    level = values[:IN_LEN, CONTROLS:].mean(axis=0)
    averages = {tau: values[0, :CONTROLS].copy() for tau in constants}
    rows = []
    for t, row in enumerate(values):
        for tau in constants if t else ():
            keep = np.exp(-1 / tau)
            averages[tau] = keep * averages[tau] + (1 - keep) * row[:CONTROLS]
        if t >= IN_LEN:
            decays = {tau: np.exp(-(t - IN_LEN + 1) / tau) for tau in constants}
            rows.append(
                [*row[:CONTROLS], *level, *(x for tau in constants for x in (*averages[tau], *decays[tau] * level, decays[tau]))]
            )  # fmt: skip
    return np.array(rows)


def test_linear_is_the_ridge_regression_it_says_it_is() -> None:
    training = [make_case(f"t{i}", 60 + i, i) for i in range(5)]
    validation, test = [make_case("v", 70, 20)], [make_case("a", 55, 30)]
    scaling = scaled(training)
    baseline = linear(training, validation, [0])
    constants = baseline.time_constants
    assert len(constants) >= 3
    assert set(constants) <= set(TIME_CONSTANTS)
    x = np.concatenate([slow_features(case, scaling, constants) for case in training])
    mean, scale = (part.double().numpy() for part in (scaling.mean, scaling.scale))
    y = np.concatenate([((case.values - mean) / scale)[IN_LEN:, CONTROLS:] for case in training])
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / spread
    # Ridge as least squares with extra rows (mean squared error + penalty * |w|^2).
    rows = np.concatenate((z, np.sqrt(baseline.penalty * len(z)) * np.eye(z.shape[1])))
    weights = np.linalg.lstsq(rows, np.concatenate((y - y.mean(axis=0), np.zeros((z.shape[1], 2)))), rcond=None)[0]
    expected = ((slow_features(test[0], scaling, constants) - centre) / spread) @ weights + y.mean(axis=0)
    np.testing.assert_allclose(
        baseline.predict(test)[0], expected * scale[CONTROLS:] + mean[CONTROLS:], rtol=1e-4, atol=1e-4
    )


def test_constant_columns_and_the_shortest_cases() -> None:
    """A control that never moves in training, an output that never moves, and test cases of one predicted row."""
    training = [make_case(f"t{i}", 30, i) for i in range(3)]
    for case in training:
        case.values[:, 0] = 0.5
        case.values[:, 3] = 4.0
    moved = make_case("a", IN_LEN + 1, 9)
    baseline = linear(training, training[:1])
    (rows,) = baseline.predict([moved])
    assert rows.shape == (1, 2)
    assert np.isfinite(rows).all()
    assert rows[0, 1] == pytest.approx(4.0, abs=1e-4)


def test_nothing_predicted_is_read_after_the_given_rows() -> None:
    training = [make_case(f"t{i}", 60, i) for i in range(4)]
    baseline = linear(training, training[:1])
    case = make_case("a", 50, 9)
    hidden = Case("a", case.time, case.values.copy(), case.channels)
    hidden.values[IN_LEN:, CONTROLS:] = 1e9
    np.testing.assert_array_equal(baseline.predict([case])[0], baseline.predict([hidden])[0])


def test_time_is_causal() -> None:
    training = [make_case(f"t{i}", 60, i) for i in range(4)]
    baseline = linear(training, training[:1])
    case = make_case("a", 50, 9)
    later = Case("a", case.time, case.values.copy(), case.channels)
    later.values[30:, :CONTROLS] += 1.0
    whole, changed = baseline.predict([case])[0], baseline.predict([later])[0]
    np.testing.assert_array_equal(whole[: 30 - IN_LEN], changed[: 30 - IN_LEN])
    assert (whole[30 - IN_LEN :] != changed[30 - IN_LEN :]).all()


def quadratic_case(name: str, seed: int, rows: int = 300) -> Case:
    """Outputs that are products of lags of the controls: beyond every linear model, and of the quadratic class."""
    linear = linear_case(name, seed, rows)
    controls = linear.values[:, :CONTROLS].astype(np.float64)
    fast, slow = (np.column_stack([lag(u, tau, u[0]) for u in controls.T]) for tau in (15.0, 150.0))
    first = 2.0 + fast[:, 0] * slow[:, 1] - 0.5 * controls[:, 0] ** 2
    second = 10.0 * slow[:, 0] * controls[:, 1] + fast[:, 1]
    values = np.column_stack((controls, first, second)).astype(np.float32)
    return Case(name, linear.time, values, linear.channels)


def test_quadratic_recovers_a_system_of_its_own_class_and_linear_does_not() -> None:
    training = [quadratic_case(f"t{i}", i) for i in range(8)]
    validation, test = [quadratic_case("v", 50)], quadratic_case("a", 60)
    truth = test.values[IN_LEN:, CONTROLS:]
    errors = {}
    for kind in (linear, quadratic):
        (rows,) = kind(training, validation).predict([test])
        errors[kind] = (np.abs(rows - truth).mean(axis=0) / truth.std(axis=0)).max()
    assert errors[quadratic] < 1e-3
    assert errors[linear] > 0.1


def test_quadratic_is_the_ridge_regression_it_says_it_is() -> None:
    training = [make_case(f"t{i}", 60 + i, i) for i in range(5)]
    validation, test = [make_case("v", 70, 20)], make_case("a", 55, 30)
    scaling = scaled(training)
    baseline = quadratic(training, validation, [0])
    constants = baseline.time_constants
    assert constants == linear(training, validation, [0]).time_constants

    def features(case: Case) -> np.ndarray:
        plain = slow_features(case, scaling, constants)
        # Of all time constants, controls and averages only: per row C controls, then blocks of C + 2 + 1.
        whole = slow_features(case, scaling, TIME_CONSTANTS)
        block = CONTROLS + 2 + 1
        starts = [0, *(CONTROLS + 2 + TIME_CONSTANTS.index(tau) * block for tau in baseline.multiplied)]
        signals = [whole[:, start + k] for start in starts for k in range(CONTROLS)]
        products = [a * b for i, a in enumerate(signals) for b in signals[i:]]
        return np.column_stack((plain, *products))

    x = np.concatenate([features(case) for case in training])
    mean, scale = (part.double().numpy() for part in (scaling.mean, scaling.scale))
    y = np.concatenate([((case.values - mean) / scale)[IN_LEN:, CONTROLS:] for case in training])
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / spread
    rows = np.concatenate((z, np.sqrt(baseline.penalty * len(z)) * np.eye(z.shape[1])))
    weights = np.linalg.lstsq(rows, np.concatenate((y - y.mean(axis=0), np.zeros((z.shape[1], 2)))), rcond=None)[0]
    expected = ((features(test) - centre) / spread) @ weights + y.mean(axis=0)
    np.testing.assert_allclose(
        baseline.predict([test])[0], expected * scale[CONTROLS:] + mean[CONTROLS:], rtol=1e-4, atol=1e-4
    )
    assert baseline.parameters == 2 * (z.shape[1] + 1)


@pytest.mark.parametrize("controls", [20, 45, 1100])
def test_quadratic_stays_solvable_with_many_controls(controls: int) -> None:
    """All products of 1,100 controls would be 605,550 features."""
    sets = products_of(FilterRegression(Sizes(controls, 1, IN_LEN, 1, 1), TIME_CONSTANTS, 0))
    assert sets
    assert all(pairs.shape[1] <= MAX_PRODUCTS for _, pairs in sets)


@pytest.mark.parametrize("kind", [linear, quadratic])
def test_of_many_columns_each_sees_its_own_level(
    kind: Callable[..., Baseline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least squares with a column's own features beside those of all, one column after another; and row by row."""
    training = [make_case(f"t{i}", 60 + i, i) for i in range(5)]
    validation, test = [make_case("v", 70, 20)], make_case("a", 55, 30)
    monkeypatch.setattr("surrogate_modeling.networks.filter_network.MAX_LEVEL_COLUMNS", 1)
    baseline = kind(training, validation)
    network, kept = baseline.network, [TIME_CONSTANTS.index(tau) for tau in baseline.time_constants]
    used = [*network.filters.positions(kept).tolist(), *range(network.filters.linear, network.filters.features)]

    def features(case: Case, column: int) -> np.ndarray:
        values = standardised(case, baseline.scaling)
        level = values[:IN_LEN, CONTROLS + column].mean()
        (common,) = (part[:, used] for part, _ in features_of(network, values, 1))
        since = torch.arange(1, len(values) - IN_LEN + 1)[:, None]
        decays = torch.exp(-since / torch.tensor(baseline.time_constants))
        return torch.cat((common, level.expand(len(common), 1), level * decays), dim=1).numpy()

    rows = baseline.predict([test])[0]
    for column in range(2):
        x = np.concatenate([features(case, column) for case in training])
        y = np.concatenate(
            [standardised(case, baseline.scaling)[IN_LEN:, CONTROLS + column].numpy() for case in training]
        )
        centre, spread = x.mean(axis=0), x.std(axis=0)
        extra = np.sqrt(baseline.penalty * len(x)) * np.eye(x.shape[1])
        goals = np.concatenate((y - y.mean(), np.zeros(x.shape[1])))
        weights = np.linalg.lstsq(np.concatenate(((x - centre) / spread, extra)), goals, rcond=None)[0]
        standard = ((features(test, column) - centre) / spread) @ weights + y.mean()
        scale, mean = (float(part[CONTROLS + column]) for part in (baseline.scaling.scale, baseline.scaling.mean))
        np.testing.assert_allclose(rows[:, column], standard * scale + mean, rtol=1e-4, atol=1e-4)
    past, control = torch.randn(2, IN_LEN, CONTROLS + 2).double(), torch.randn(2, 9, CONTROLS).double()
    state, stepped = network.encode(past), []
    assert state.shape == (2, network.state_size)
    for t in range(9):
        state, row = network.advance(state, control[:, t : t + 1])
        stepped.append(row)
    torch.testing.assert_close(torch.cat(stepped, dim=1), network.free_run(past, control))


def test_quadratic_reads_only_what_it_may() -> None:
    training = [make_case(f"t{i}", 60, i) for i in range(4)]
    baseline = quadratic(training, training[:1])
    case = make_case("a", 50, 9)
    other = Case("a", case.time, case.values.copy(), case.channels)
    other.values[IN_LEN:, CONTROLS:] = 1e9
    other.values[30:, :CONTROLS] += 1.0
    whole, changed = baseline.predict([case])[0], baseline.predict([other])[0]
    np.testing.assert_array_equal(whole[: 30 - IN_LEN], changed[: 30 - IN_LEN])
    assert (whole[30 - IN_LEN :] != changed[30 - IN_LEN :]).all()
