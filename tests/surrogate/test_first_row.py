"""A start from controls alone: the regressed first row, and that nothing of the first true row is seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exported import make
from exported import row_by_row as run_in_steps

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.networks.filters import MAX_PRODUCTS
from surrogate_modeling.surrogate.first_row import FirstRow
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.setup import with_given_starts


def random_rows(cases: int) -> torch.Tensor:
    """Controls u, v; outputs 1 + 2 u - v, u v, and noise."""
    rng = np.random.default_rng(0)
    u, v, noise = rng.normal(size=(3, cases))
    return torch.tensor(np.stack([u, v, 1 + 2 * u - v, u * v, noise], axis=1), dtype=torch.float32)


def test_each_column_gets_the_smallest_regression_that_predicts_cases_left_out() -> None:
    first_row = FirstRow(2, 3)
    errors = first_row.fit(random_rows(40))
    # Features: u, v, u u, u v, v v.
    weight = first_row.weight.numpy()
    np.testing.assert_allclose(weight[:, 0], [2, -1, 0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(weight[:, 1], [0, 0, 0, 1, 0], atol=2e-3)
    assert not weight[:, 2].any()
    noise = random_rows(40)[:, 4]
    np.testing.assert_allclose(first_row.offset.numpy(), [1, 0, noise.mean()], atol=2e-3)
    assert errors[0] < 1e-3
    assert errors[1] < 1e-2
    assert float(errors[2]) == pytest.approx(float((noise - noise.mean()).abs().mean()), rel=0.1)


def test_of_one_case_the_row_itself_is_the_start() -> None:
    first_row = FirstRow(2, 3)
    rows = random_rows(1)
    assert first_row.fit(rows).isnan().all()
    np.testing.assert_allclose(first_row(torch.tensor([[5.0, 5.0]])), rows[:, 2:], atol=1e-6)


def test_with_many_controls_there_are_no_products() -> None:
    controls = int((2 * MAX_PRODUCTS) ** 0.5) + 1
    assert FirstRow(controls, 1).weight.shape == (controls, 1)


def schedule(surrogate: Surrogate, rows: int, batch: int = 2) -> np.ndarray:
    scaling, controls = surrogate.scaling, surrogate.description.sizes.controls
    drawn = np.random.default_rng(1).normal(size=(batch, rows, controls))
    return (drawn * scaling.scale[:controls].numpy() + scaling.level[:controls].numpy()).astype(np.float32)


@pytest.mark.parametrize("name", ["don", "lstm", "ssm", "ssm-stacked", "nss"])
@pytest.mark.parametrize("increment", [False, True])
def test_the_free_run_is_that_from_the_regressed_row(name: str, increment: bool) -> None:
    surrogate = make(name, increment=increment, start=StartMode.rest)
    controls = schedule(surrogate, 20)
    none = np.zeros((2, 0, 3), np.float32)
    predicted = surrogate.free_run(none, controls)
    assert predicted.shape == (2, 19, 3)
    # The same network in a surrogate that is given this row.
    given = Surrogate(replace(surrogate.description, start=StartMode.row)).eval()
    given.network, given.scaling = surrogate.network, surrogate.scaling
    scaling, first = surrogate.scaling, slice(0, 2)
    assert surrogate.first_row is not None
    row = scaling.restore(
        surrogate.first_row(scaling.standardise(torch.from_numpy(controls[:, :1]), first)), slice(2, 5)
    )
    np.testing.assert_allclose(predicted, given.free_run(row.numpy(), controls), rtol=1e-4, atol=1e-4)
    steps = run_in_steps(surrogate, torch.from_numpy(none), torch.from_numpy(controls)).numpy()
    np.testing.assert_allclose(steps, predicted, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"initial: shape \(2, 1, 3\), expected \(2, 0, 3\)"):
        surrogate.free_run(row.numpy(), controls)


def test_no_true_row_is_seen_and_none_is_changed() -> None:
    """Neither in a prediction, nor by windows of training, nor by what baselines are fitted on."""
    surrogate = make("ssm", start=StartMode.rest)
    rng = np.random.default_rng(2)
    mean, spread = surrogate.scaling.mean.numpy(), surrogate.scaling.scale.numpy()
    channels = surrogate.description.channels
    cases = [
        Case(f"c{i}", np.arange(9.0), rng.normal(mean, spread, (9, 5)).astype(np.float32), channels) for i in range(4)
    ]
    blind = [replace(case, values=case.values.copy()) for case in cases]
    for case in blind:
        case.values[:, 2:] = np.nan
    for seen, unseen in zip(surrogate.predict(cases), surrogate.predict(blind), strict=True):
        np.testing.assert_array_equal(seen, unseen)
    before = [case.values.copy() for case in cases]
    given = with_given_starts(surrogate, CaseSplit(cases[:2], cases[2:3], cases[3:]))
    for case, values in zip(cases, before, strict=True):
        np.testing.assert_array_equal(case.values, values)
    changed = [*given.training, *given.validation, *given.test]
    controls = torch.from_numpy(np.stack([case.controls for case in cases]))
    assert surrogate.first_row is not None
    row = surrogate.first_row(surrogate.scaling.standardise(controls[:, 0], slice(0, 2)))
    for i, case in enumerate(changed):
        np.testing.assert_array_equal(case.values[1:], before[i][1:])
        np.testing.assert_array_equal(case.values[0, :2], before[i][0, :2])
        standardised = (case.values[0, 2:] - mean[2:]) / spread[2:]
        np.testing.assert_allclose(standardised, row[i], rtol=1e-3, atol=1e-4)


def test_a_saved_surrogate_starts_as_it_did(tmp_path: Path) -> None:
    surrogate = make("lstm", start=StartMode.rest)
    surrogate.save(tmp_path / "a.pth")
    again = Surrogate.load(tmp_path / "a.pth")
    assert again.description.given_rows == 0
    none, controls = np.zeros((2, 0, 3), np.float32), schedule(surrogate, 12)
    np.testing.assert_array_equal(again.free_run(none, controls), surrogate.free_run(none, controls))


def test_the_first_row_has_a_gradient() -> None:
    surrogate = make("nss", start=StartMode.rest)
    controls = torch.from_numpy(schedule(surrogate, 6)).requires_grad_()
    surrogate.free_run(torch.zeros(2, 0, 3), controls)[:, -1].sum().backward()
    assert controls.grad is not None
    assert controls.grad[:, 0].abs().min() > 0


def test_a_saved_regression_that_is_no_number_is_refused(tmp_path: Path) -> None:
    surrogate = make("lstm", start=StartMode.rest)
    assert surrogate.first_row is not None
    surrogate.first_row.weight[0, 0] = torch.nan
    surrogate.save(tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"first_row\.weight holds values that are not finite"):
        Surrogate.load(tmp_path / "a.pth")
