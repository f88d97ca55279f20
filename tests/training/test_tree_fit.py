"""Fitted trees against scikit-learn's own prediction, and on plants whose best form is known."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import lag, plain_case
from sklearn.ensemble import HistGradientBoostingRegressor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.commands import Form
from surrogate_modeling.config.models import TreesConfig
from surrogate_modeling.deployment.fmu.export import export_fmu
from surrogate_modeling.deployment.onnx_export import export_onnx
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.trees import NEVER, TreeRegression
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training import tree_fit
from surrogate_modeling.training.regression_rows import BaselineData, standardised
from surrogate_modeling.training.tree_fit import Column, TreeRows, cross_fit_trees, fit_trees, offset_of, trees_of

IN_LEN = 4
CONFIG = TreesConfig(trees=40, depth=3)


def unit_case(name: str, seed: int, rows: int = 200) -> Case:
    """A switch behind a lag whose first rows say nothing, the same on a level of the unit's own, and a constant."""
    rng = np.random.default_rng(seed)
    control = np.repeat(rng.uniform(-1, 1, rows // 10 + 1), 10)[:rows]
    switch = np.where(lag(control, 5.0, control[0]) > 0.2, 1.0, -1.0)
    values = np.column_stack((control, switch, switch + rng.normal(scale=20.0), np.full(rows, 3.0)))
    values[:IN_LEN, 1] = rng.normal(scale=5.0)
    return plain_case(name, np.arange(float(rows)), values.astype(np.float32), 1)


CASES = [unit_case(f"c{i}", i) for i in range(12)]


def data_of(training: Sequence[Case], validation: Sequence[Case]) -> BaselineData:
    scaling = Standardizer(4)
    scaling.fit(case.values for case in CASES)
    return BaselineData(training, validation, [0, 1], scaling, IN_LEN)


DATA = data_of(CASES[:8], CASES[8:10])


def errors(network: TreeRegression, cases: Sequence[Case]) -> np.ndarray:
    """Mean absolute error (P,) of the free run, standardised."""
    values = torch.stack([standardised(case, DATA.scaling) for case in cases]).float()
    rows = network.free_run(values[:, :IN_LEN], values[:, IN_LEN:, :1])
    return (rows - values[:, IN_LEN:, 1:]).abs().mean(dim=(0, 1)).numpy()


def test_converted_trees_predict_as_scikit_learn_does_also_at_the_thresholds() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 6)) * [1, 1, 1e-3, 1e6, 1, 1]
    target = np.sin(3 * features[:, 0]) + (features[:, 3] > 1e5) + features[:, 1] * features[:, 4]
    model = HistGradientBoostingRegressor(max_iter=20, max_depth=4, max_leaf_nodes=None, early_stopping=False)
    model.fit(features, target)
    thresholds = [node["num_threshold"] for (p,) in model._predictors for node in p.nodes if not node["is_leaf"]]
    near = np.array(thresholds, np.float32)
    rows = np.concatenate((near, np.nextafter(near, -np.float32(np.inf)), np.nextafter(near, np.float32(np.inf))))
    # Each row meets thresholds in all features, and lies just above or below others.
    asked = np.stack([rng.permutation(rows) for _ in range(6)], axis=1)
    network = TreeRegression(TreesConfig(trees=20, depth=5), Sizes(1, 1, 2, 1, 1))
    network.offset.fill_(offset_of(model))
    places = np.array([5, 3, 0, 9, 1, 7])
    for number, tree in enumerate(trees_of(model, places, 5)):
        network.set_tree(0, number, tree)
    wide = np.zeros((len(asked), network.filters.linear), np.float32)
    wide[:, places] = asked
    np.testing.assert_allclose(network.sums(torch.from_numpy(wide))[:, 0], model.predict(asked), atol=1e-5)


def test_switches_and_units_are_learned() -> None:
    network = cross_fit_trees([DATA], CONFIG)[0]
    assert network.departs.tolist()[:2] == [0.0, 1.0]
    found = errors(network, CASES[10:])
    assert found[0] < 0.1
    # The unit's own level is in the first rows only; without it the error is near its spread of 1.
    assert found[1] < 0.1
    assert found[2] == pytest.approx(0, abs=1e-6)
    assert network.trees_of[2] == 0
    assert network.trees == max(network.trees_of)


def test_the_number_of_trees_is_that_of_the_least_error_over_the_validation_cases() -> None:
    network = cross_fit_trees([DATA], CONFIG)[0]
    count = network.trees_of[0]
    least = errors(network, DATA.validation)[0]
    for other in {1, count // 2, count - 1, min(count + 1, CONFIG.trees)} - {count}:
        shorter = fit_trees(replace(DATA, validation=[]), cross_fit_trees([DATA], TreesConfig(trees=other, depth=3))[0])
        assert shorter.trees_of[0] <= other
        assert errors(shorter, DATA.validation)[0] >= least - 1e-6


def test_a_fit_like_another_keeps_its_forms_and_asks_no_validation_cases() -> None:
    first = cross_fit_trees([DATA], CONFIG)[0]
    again = fit_trees(replace(DATA, validation=[]), first)
    for name, part in first.state_dict().items():
        assert torch.equal(part, again.state_dict()[name]), name
    on_all = fit_trees(replace(DATA, training=CASES[:10], validation=[]), first)
    assert on_all.trees_of == first.trees_of
    assert torch.equal(on_all.departs, first.departs)
    with pytest.raises(ValueError, match="validation"):
        cross_fit_trees([replace(DATA, validation=[])], CONFIG)


def test_folds_share_forms_and_numbers_of_trees() -> None:
    folds = [data_of(CASES[:8], CASES[8:]), data_of(CASES[4:], CASES[:4])]
    first, second = cross_fit_trees(folds, CONFIG)
    assert first.trees_of == second.trees_of
    assert torch.equal(first.departs, second.departs)
    assert not torch.equal(first.value, second.value)
    for network, fold in zip((first, second), folds, strict=True):
        assert errors(network, fold.validation)[:2].max() < 0.15


def test_no_threshold_comes_between_values_that_differ_by_rounding() -> None:
    """But for the last feature, the time, whose values are as they are."""
    noise = np.random.default_rng(0).normal(scale=1e-7, size=(600, 3)).astype(np.float32)
    rows = TreeRows(noise, np.sign(noise), np.zeros((600, 3)), np.ones(600))
    for place in range(3):
        model = tree_fit._boost(Column(place, np.arange(3)), CONFIG, rows, departs=False)
        asked = {int(at) for tree in trees_of(model, np.arange(3), 3) for at in tree.feature[tree.threshold != NEVER]}
        assert asked == {2}


def test_rows_are_limited_and_it_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tree_fit, "MAX_ROWS", 400)
    monkeypatch.setattr(tree_fit, "MIN_ROWS", 100)
    with caplog.at_level(logging.INFO):
        cross_fit_trees([DATA], TreesConfig(trees=2, depth=2))[0]
    assert "every 4. of 1600 rows" in caplog.text


def test_features_of_a_column_are_its_own_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    network = TreeRegression(CONFIG, DATA.sizes)
    # 8 signals of the control; 3 levels and a 1; their decays over 7 time constants.
    assert tree_fit._features_asked(network, 1).tolist() == [*range(8), 8, 9, 10, *range(13, 41, 4), 39]
    monkeypatch.setattr(tree_fit, "MAX_SHARED_LEVELS", 2)
    assert tree_fit._features_asked(network, 1).tolist() == [*range(8), 9, *range(13, 41, 4), 39]
    monkeypatch.setattr("surrogate_modeling.networks.filter_network.MAX_LEVEL_COLUMNS", 2)
    assert tree_fit._features_asked(TreeRegression(CONFIG, DATA.sizes), 1).tolist() == [*range(8), 15]


@pytest.mark.slow
def test_fitted_trees_are_exported(tmp_path: Path) -> None:
    """Each exporter compares whole free runs itself, and refuses a difference."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("fmpy")
    network = cross_fit_trees([DATA], CONFIG)[0]
    model = TreesConfig(trees=network.trees, depth=network.depth)
    surrogate = Surrogate(Description(model, CASES[0].channels, IN_LEN, 1, 1.0)).eval()
    surrogate.scaling = DATA.scaling
    surrogate.network = network
    real = [(case.outputs[None, :IN_LEN], case.controls[None]) for case in CASES[10:]]
    for form in Form:
        export_onnx(surrogate, tmp_path / f"{form.value}.onnx", form, real)
    for version in (2.0, 3.0):
        assert export_fmu(surrogate, tmp_path / f"{version}.fmu", real, version) is not None
