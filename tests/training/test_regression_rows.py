"""Rows that regressions are fitted on: standardised in double, of many only some."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import make_case
from regressions import CONTROLS, IN_LEN, linear, linear_case, quadratic, scaled

from surrogate_modeling.networks.ridge import Moments
from surrogate_modeling.training.baselines import Baseline, fit_linear
from surrogate_modeling.training.regression_rows import BaselineData, standardised


@pytest.mark.filterwarnings("error")
def test_rows_of_a_shared_array_are_standardised_in_double_and_without_a_warning() -> None:
    case = linear_case("a", 0, rows=20)
    scaling = scaled([case])
    case.values.flags.writeable = False
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = standardised(case, scaling)
    finally:
        torch.set_warn_always(False)
    mean, divisor = (part.numpy().astype(np.float64) for part in (scaling.mean, scaling.divisor))
    np.testing.assert_array_equal(values.numpy(), (case.values.astype(np.float64) - mean) / divisor)


@pytest.mark.parametrize("kind", [linear, quadratic])
def test_of_many_rows_some_are_enough(kind: Callable[..., Baseline], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third row of a system of its own class tells all about it; the filters still run over every row."""
    training = [linear_case(f"t{i}", i) for i in range(8)]
    monkeypatch.setattr("surrogate_modeling.training.regression_rows.MAX_FITTED_ROWS", 800)
    monkeypatch.setattr("surrogate_modeling.training.regression_rows.ROWS_AT_ONCE", 100)
    asked = []
    of = Moments.of
    monkeypatch.setattr(Moments, "of", lambda x, y: asked.append(x[:, :CONTROLS]) or of(x, y))
    baseline = kind(training, [linear_case("v", 50)])
    standard = standardised(training[0], baseline.scaling)
    np.testing.assert_allclose(torch.cat(asked[:3]), standard[IN_LEN::3, :CONTROLS])
    test = linear_case("a", 60)
    truth = test.values[IN_LEN:, CONTROLS:]
    assert (np.abs(baseline.predict([test])[0] - truth).max(axis=0) / truth.std(axis=0)).max() < 2e-3


def test_of_very_many_rows_some_cases_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve cases of 300 rows where 400 are fitted, at most every third of a case: every third case, but two at least.

    Then 1,200 rows are left, of which every third is fitted.
    """
    for name, value in (("MAX_FITTED_ROWS", 400), ("MAX_STRIDE", 3), ("MIN_CASES_USED", 2)):
        monkeypatch.setattr(f"surrogate_modeling.training.regression_rows.{name}", value)
    training, validation = (
        [linear_case(f"t{i}", i) for i in range(12)],
        [linear_case(f"v{i}", 50 + i) for i in range(5)],
    )
    ticks: list[None] = []
    data = BaselineData(training, validation, (0, 1), scaled(training), IN_LEN, tick=lambda: ticks.append(None))
    assert (data.case_stride, data.stride) == (3, 3)
    assert [case.name for case in data.used(training)] == ["t0", "t3", "t6", "t9"]
    assert [case.name for case in data.used(validation)] == ["v0", "v2", "v4"]
    baseline = fit_linear(data)
    assert len(ticks) == 4 + 3
    test = linear_case("a", 60)
    truth = test.values[IN_LEN:, CONTROLS:]
    assert (np.abs(baseline.predict([test])[0] - truth).max(axis=0) / truth.std(axis=0)).max() < 2e-3


def test_of_many_targets_some_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_modeling.training.regression_rows.MAX_SELECTION_TARGETS", 3)
    case = make_case()
    data = BaselineData([case], [], range(10, 20), scaled([case]), IN_LEN)
    assert data.choosing.tolist() == [10, 14, 19]
