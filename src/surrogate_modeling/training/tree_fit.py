"""Fit boosted trees on filtered controls with scikit-learn's histogram gradient boosting.

Column by column two forms are fitted, of the value and of the departure from the level of the past window; form and
number of trees are those of the least mean absolute error over the validation cases, row for row as in a free run.

Shape letters: R fitted rows, N features of the filters, P predicted, D depth.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.models import TreesConfig
from surrogate_modeling.networks.filter_network import FilterNetwork
from surrogate_modeling.networks.trees import Tree, TreeRegression
from surrogate_modeling.training.regression_rows import BaselineData, features_of, level_of, standardised

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

log = logging.getLogger(__name__)
LEARNING_RATE = 0.15
MIN_LEAF_ROWS = 20
# Trees of the fits that choose between the value and the departure.
FORM_TREES = 15
# Time goes with rows times columns; rows of a trajectory repeat each other.
MAX_ROWS, MIN_ROWS, MAX_ROW_COLUMNS = 20_000, 5_000, 300_000
# With more predicted columns the trees of each ask for its own level only, which takes less time and is no worse.
MAX_SHARED_LEVELS = 8
# Features, but for the time, are fitted as multiples of this: a control that is held leaves averages that differ by
# rounding, and no threshold may come between them. It is a power of 2, and finer than the 255 bins of most features.
GRID = 2.0**-12


@dataclass(frozen=True)
class TreeRows:
    """Rows of cases that trees are fitted on or compared with.

    Attributes:
        features: (R, N) float32.
        outputs: (R, P).
        level: (R, P), the level of the row's case.
        weight: (R,), one over the rows of the row's case.
    """

    features: np.ndarray
    outputs: np.ndarray
    level: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Form:
    """What is fitted of a column: its departure from the level or its value, by how many trees."""

    departs: bool
    trees: int


@dataclass(frozen=True)
class Column:
    """A predicted column: its position, and the positions of the features that its trees may ask."""

    place: int
    asked: np.ndarray


@dataclass(frozen=True)
class FittedColumn:
    """A column, the form chosen, and scikit-learn's model of every fold."""

    column: Column
    form: Form
    models: list[HistGradientBoostingRegressor]


def fit_trees(data: BaselineData, like: TreeRegression) -> TreeRegression:
    """Fit trees on the training cases, of the forms and numbers of trees of others.

    At most ``MAX_ROWS`` rows are fitted, fewer of more than 15 columns (see ``MAX_ROW_COLUMNS``): the log says so.

    Args:
        data: cases and scaling; validation cases are not asked.
        like: fitted before on other cases.
    """
    counts = like.trees_of
    forms = [Form(bool(departs), trees) for departs, trees in zip(like.departs.tolist(), counts, strict=True)]
    config = TreesConfig(trees=max(1, *counts), depth=like.depth)
    return _cross_fit([data], config, forms)[0]


def cross_fit_trees(folds: Sequence[BaselineData], config: TreesConfig | None = None) -> list[TreeRegression]:
    """Fit trees on each fold's training cases, of forms and numbers of trees that its validation cases choose together.

    Args:
        folds: with other training and validation cases each, and one scaling.
        config: most trees of a column, and their depth.

    Raises:
        ValueError: a fold has no validation cases.
    """
    if not all(data.validation for data in folds):
        raise ValueError("trees need validation cases, or a fit whose number of trees is kept")
    return _cross_fit(folds, config or TreesConfig(), None)


def _cross_fit(
    folds: Sequence[BaselineData], config: TreesConfig, forms: Sequence[Form] | None
) -> list[TreeRegression]:
    from threadpoolctl import threadpool_limits

    empty = TreeRegression(config, folds[0].sizes).double()
    strides = [_stride(data) for data in folds]
    training = [tree_rows(empty, data, data.training, k) for data, k in zip(folds, strides, strict=True)]
    validation = [tree_rows(empty, data, data.validation, k) for data, k in zip(folds, strides, strict=True)]
    columns = []
    # As many threads as torch was given; scikit-learn would take all cores.
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"), warnings.catch_warnings():
        # Of scikit-learn about its own use of joblib.
        warnings.filterwarnings("ignore", message=r".*sklearn\.utils\.parallel\.delayed.*")
        for i in range(empty.sizes.predicted):
            column = Column(i, _features_asked(empty, i))
            columns.append(_fit_column(column, config, training, validation if forms is None else forms[i]))
    most = TreesConfig(trees=max(1, *(fitted.form.trees for fitted in columns)), depth=config.depth)
    return [_network(most, data, columns, k) for k, data in enumerate(folds)]


def _fit_column(
    column: Column, config: TreesConfig, training: Sequence[TreeRows], choosing: Sequence[TreeRows] | Form
) -> FittedColumn:
    """Fit a column on every fold.

    Args:
        column: which.
        config: most trees, and their depth.
        training: rows of each fold.
        choosing: rows of each fold that choose the form, or the form.
    """
    if isinstance(choosing, Form):
        config = TreesConfig(trees=max(1, choosing.trees), depth=config.depth)
        return FittedColumn(column, choosing, [_boost(column, config, rows, choosing.departs) for rows in training])
    short = TreesConfig(trees=min(FORM_TREES, config.trees), depth=config.depth)
    value, departure = (_try(column, short, departs, (training, choosing))[1].min() for departs in (False, True))
    models, errors = _try(column, config, departure < value, (training, choosing))
    return FittedColumn(column, Form(departure < value, int(errors.argmin())), models)


def _try(
    column: Column, config: TreesConfig, departs: bool, rows: tuple[Sequence[TreeRows], Sequence[TreeRows]]
) -> tuple[list[HistGradientBoostingRegressor], np.ndarray]:
    """Models of every fold's training rows, and their mean errors over its validation rows by 0, 1, ... trees."""
    models = [_boost(column, config, training, departs) for training in rows[0]]
    errors = [_errors(column, model, validation, departs) for model, validation in zip(models, rows[1], strict=True)]
    return models, np.mean(errors, axis=0)


def _boost(column: Column, config: TreesConfig, rows: TreeRows, departs: bool) -> HistGradientBoostingRegressor:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        max_iter=config.trees, max_depth=config.depth, max_leaf_nodes=None, learning_rate=LEARNING_RATE,
        min_samples_leaf=MIN_LEAF_ROWS, early_stopping=False, random_state=0,
    )  # fmt: skip
    features = rows.features[:, column.asked]
    features[:, :-1] = np.round(features[:, :-1] / GRID) * GRID
    level = rows.level[:, column.place] if departs else 0.0
    return model.fit(features, rows.outputs[:, column.place] - level)


def _errors(column: Column, model: HistGradientBoostingRegressor, rows: TreeRows, departs: bool) -> np.ndarray:
    """Mean absolute error of 0, 1, ... trees, summed over the cases."""
    truth = rows.outputs[:, column.place] - (rows.level[:, column.place] if departs else 0.0)
    stages = model.staged_predict(rows.features[:, column.asked])
    constant = np.full(len(truth), offset_of(model))
    return np.array([rows.weight @ np.abs(predicted - truth) for predicted in (constant, *stages)])


def _network(config: TreesConfig, data: BaselineData, columns: Sequence[FittedColumn], fold: int) -> TreeRegression:
    network = TreeRegression(config, data.sizes)
    for column, form, models in ((each.column, each.form, each.models) for each in columns):
        network.departs[column.place] = float(form.departs)
        network.offset[column.place] = offset_of(models[fold])
        for number, tree in enumerate(trees_of(models[fold], column.asked, config.depth)[: form.trees]):
            network.set_tree(column.place, number, tree)
    return network.eval()


def offset_of(model: HistGradientBoostingRegressor) -> float:
    """What a model predicts before its first tree; scikit-learn has no public way to it, nor to the trees."""
    return float(np.squeeze(model._baseline_prediction))


def trees_of(model: HistGradientBoostingRegressor, asked: np.ndarray, depth: int) -> list[Tree]:
    """The trees of a fitted model as binary heaps.

    Args:
        model: of one output.
        asked: position of each of its features among those of the network.
        depth: of the heaps, at least that of the trees.
    """
    return [_heap(predictor.nodes, asked, depth) for (predictor,) in model._predictors]


def _heap(nodes: np.ndarray, asked: np.ndarray, depth: int) -> Tree:
    tree, inner = Tree.empty(depth), 2**depth - 1
    waiting = [(0, 0)]
    while waiting:
        at, place = waiting.pop()
        node = nodes[at]
        if node["is_leaf"]:
            while place < inner:
                place = 2 * place + 1
            tree.value[place - inner] = node["value"]
        else:
            tree.feature[place] = asked[node["feature_idx"]]
            tree.threshold[place] = _float32_below(node["num_threshold"])
            waiting += [(int(node["left"]), 2 * place + 1), (int(node["right"]), 2 * place + 2)]
    return tree


def _float32_below(threshold: float) -> np.float32:
    """The greatest float32 not above a threshold: x <= it exactly where x <= the threshold, for every float32 x."""
    near = np.float32(threshold)
    return near if near <= threshold else np.nextafter(near, np.float32(-np.inf))


def _stride(data: BaselineData) -> int:
    """Row step of the fit."""
    rows = sum(len(case.values) for case in data.training)
    most = min(MAX_ROWS, max(MIN_ROWS, MAX_ROW_COLUMNS // data.sizes.predicted))
    stride = max(1, -(-rows // most))
    if stride > 1:
        log.info("trees are fitted on every %d. of %d rows of the training cases", stride, rows)
    return stride


@torch.no_grad()
def tree_rows(network: FilterNetwork, data: BaselineData, cases: Sequence[Case], stride: int) -> TreeRows:
    """Every ``stride``-th predicted row of some cases.

    Args:
        network: in float64, whose filters give the features.
        data: for its scaling.
        cases: training or validation cases.
        stride: 1 for every row.
    """
    predicted = network.sizes.predicted
    # So that no cases give no rows.
    features, weight = [np.zeros((0, network.filters.linear), np.float32)], [np.zeros(0)]
    outputs, level = ([np.zeros((0, predicted))] for _ in range(2))
    for case in cases:
        values, rows = standardised(case, data.scaling), 0
        for asked, truth in features_of(network, values, stride):
            features.append(asked.float().numpy())
            outputs.append(truth.numpy())
            rows += len(truth)
        level.append(np.tile(level_of(network, values).numpy(), (rows, 1)))
        weight.append(np.full(rows, 1.0 / max(1, rows)))
        data.tick()
    return TreeRows(*(np.concatenate(parts) for parts in (features, outputs, level, weight)))


def _features_asked(network: FilterNetwork, column: int) -> np.ndarray:
    """Positions of the features that a predicted column's trees may ask.

    The controls and their averages; the levels of all columns, or of many its own; its decays; and of the decays of the
    constant, all of which tell the time since the start, the slowest.
    """
    filters = network.filters
    parts = [np.arange(filters.of_controls)]
    if network.has_level_features:
        shared = filters.fed_back <= MAX_SHARED_LEVELS
        parts.append(np.array(filters.level_at if shared else filters.level_at[column : column + 1]))
        levels = filters.fed_back + 1
        parts.append(filters.level_at[column] + levels * np.arange(1, 1 + len(filters.rate)))
    return np.concatenate((*parts, [filters.linear - 1]))
