"""What a run fits on which cases."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import case_set_of, composed, empty_store, lag, make_channels

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.excess import Excess
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.experiment import run as run_module
from surrogate_modeling.experiment.run import run_experiment

NAMED = ["dataset.split=named", "dataset.validation_cases=[c5,c6]", "dataset.test_cases=[c7]"]


def case(number: int, lowest: float, highest: float) -> Case:
    """T follows the valve, p with a gain of 0.5 the load, which steps within its limits."""
    rng = np.random.default_rng(number)
    valve, load = (np.repeat(rng.uniform(*limits, 12), 10) for limits in ((0.0, 1.0), (lowest, highest)))
    rows = np.column_stack((valve, load, lag(valve, 5), 0.5 * lag(load, 5, lowest)))
    return Case(f"c{number}", np.arange(120.0), rows.astype(np.float32), make_channels())


def test_what_moves_only_in_cases_to_validate_is_learnt_where_these_are_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases 0 to 4 train, 5 and 6 validate, and case 7, the test, goes further.

    With folds the range is of 0 to 6, and so is the scaling of the load, which moves in 5 and 6 only; errors are given
    in standard deviations of 0 to 4, as those of a network that is trained on these.
    """
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    cases = [*(case(i, 3.0, 3.0) for i in range(5)), case(5, 2.0, 4.0), case(6, 2.0, 4.0), case(7, 8.0, 9.0)]
    options = ["model=auto", "model.members=[linear]", "model.larger={}", "model.folds=3", "settings.num_figures=0"]
    config = to_config(composed("dataset=csv", "dataset.path=x", "dataset.controls=2", *NAMED, *options))
    (tmp_path / "run").mkdir()
    surrogate = run_experiment(config, case_set_of(cases), tmp_path / "run").surrogate
    assert surrogate is not None
    rows = np.concatenate([each.values for each in cases[:7]])
    few = np.concatenate([each.values for each in cases[:5]])
    # The valve and T move in all cases, the load and p only in those to validate.
    expected = {
        name: np.where([1, 0, 1, 0], getattr(few, name)(axis=0), getattr(rows, name)(axis=0))
        for name in ("mean", "std")
    }
    np.testing.assert_allclose(surrogate.scaling.mean, expected["mean"], rtol=1e-5)
    np.testing.assert_allclose(surrogate.scaling.divisor, expected["std"], rtol=1e-4)
    np.testing.assert_array_equal(surrogate.scaling.high, rows.max(axis=0))
    assert surrogate.position(cases[5]).rows.max() < 2 < surrogate.position(cases[7]).rows.max()
    controls, given = cases[5].controls.copy(), cases[5].outputs[:10]
    before = surrogate.free_run(given, controls)
    controls[10:, 1] += 1.0
    assert (surrogate.free_run(given, controls) - before)[-1, 1] == pytest.approx(0.5, abs=0.02)


def test_columns_that_a_diverged_case_decides_are_not_taken_for_controls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    monkeypatch.setattr(run_module, "forgotten_controls", lambda *_: ["T", "p"])
    quick = ["model=lstm", "model.dim=4", "settings.epochs=1", "settings.num_figures=0"]
    config = to_config(composed("dataset=csv", "dataset.path=x", "dataset.controls=2", *NAMED, *quick))
    excesses = (Excess("c0", ("T",), 4e9, 3.0, "degC"),)
    (tmp_path / "run").mkdir()
    with caplog.at_level(logging.WARNING):
        run_experiment(
            config, replace(case_set_of([case(i, 3.0, 4.0) for i in range(8)]), excesses=excesses), tmp_path / "run"
        )
    (said,) = [message for message in caplog.messages if "Is it a control?" in message]
    assert said.startswith("'p': no regression")
