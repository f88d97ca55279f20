"""Baselines that a surrogate has to beat: persistence, and linear and quadratic models that never see their own output.

All get the same inputs as the surrogate: the first in_len rows, and the controls of all rows.

Shape letters: T rows of a case, H = T - in_len predicted rows, C control, P predicted, N features, R fitted rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.networks.filters import MAX_PRODUCTS, TIME_CONSTANTS
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.ridge import PENALTIES, RidgeSolver
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.regression_rows import (
    BaselineData,
    RidgeSums,
    standardised,
    sums_of_folds,
    validation_errors,
)

MIN_TIME_CONSTANTS = 3
# Averages whose products the quadratic baseline tries: none, medium, spread, and all.
MULTIPLIED: tuple[tuple[float, ...], ...] = ((), (15.0, 150.0), (5.0, 50.0, 500.0), TIME_CONSTANTS)


def persistence(cases: Sequence[Case], in_len: int) -> list[np.ndarray]:
    """Hold the last given row to the end: (H, P) per case in physical units."""
    return [np.repeat(case.outputs[in_len - 1 : in_len], len(case.time) - in_len, axis=0) for case in cases]


# Baselines that learn nothing: cases and in_len -> (H, P) per case in physical units.
UNFITTED: dict[str, Callable[[Sequence[Case], int], list[np.ndarray]]] = {"persistence": persistence}


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline regression.

    Attributes:
        network: in float64 and standardised units.
        scaling: of the surrogate.
        time_constants: whose averages and decays it uses.
        multiplied: time constants of the averages that are multiplied.
        penalty: of the ridge regression.
        error: mean absolute error of the targets that it was chosen by, in standardised units, summed over the cases
            that chose.
        parameters: fitted numbers.
    """

    network: FilterRegression
    scaling: Standardizer
    time_constants: tuple[float, ...]
    multiplied: tuple[float, ...]
    penalty: float
    error: float
    parameters: int

    def predict(self, cases: Sequence[Case]) -> list[np.ndarray]:
        """Predict (H, P) per case in physical units."""
        in_len = self.network.sizes.in_len
        shapes = [(max(0, len(case.values) - in_len), len(case.channels.predicted)) for case in cases]
        # Allocated before any is predicted: results between the large arrays that are freed after each case leave holes
        # that the next ones do not fit into, a gigabyte of them in hundreds of cases.
        rows = [np.empty(shape, case.truth(1).dtype) for shape, case in zip(shapes, cases, strict=True)]
        for case, predicted in zip(cases, rows, strict=True):
            predicted[:] = self._predict(case)
        return rows

    @torch.no_grad()
    def _predict(self, case: Case) -> np.ndarray:
        sizes, values = self.network.sizes, standardised(case, self.scaling)[None]
        control = values[:, sizes.in_len :, : sizes.controls]
        rows = self.network.free_run(values[:, : sizes.in_len], control)[0]
        held = self.scaling.restore_held(rows, slice(sizes.controls, None))
        return case.channels.physical(held.float().numpy(), sizes.controls)


@dataclass(frozen=True)
class FeatureSet:
    """A set of features of a regression, tried on the validation cases.

    Attributes:
        time_constants: whose averages and decays are used.
        multiplied: those whose averages are multiplied.
        pairs: positions (2, Q) of the features that are multiplied.
    """

    time_constants: tuple[float, ...]
    multiplied: tuple[float, ...]
    pairs: Tensor

    def used(self, network: FilterRegression) -> Tensor:
        """Positions of the features, products last."""
        products = torch.arange(network.filters.linear, network.filters.features)
        return torch.cat((network.filters.positions(places(self.time_constants)), products))

    @property
    def used_own(self) -> Tensor:
        """Positions of a column's own level and its decays."""
        return torch.tensor([0, *(1 + i for i in places(self.time_constants))])


def places(constants: Sequence[float]) -> list[int]:
    """Positions of some time constants among all."""
    return [TIME_CONSTANTS.index(tau) for tau in constants]


def fit_linear(data: BaselineData) -> Baseline:
    """Fit a ridge regression on filters of the controls and on the first rows.

    Features of a row: its controls; their exponential averages over a range of time constants tau (in rows), started
    at the first control row; the mean of the first in_len rows of every predicted column (of many columns: of its own,
    see :class:`FilterRegression`), and its decays exp(-t / tau). Range and penalty are those of the least error on the
    validation cases.
    """
    ranges = [
        TIME_CONSTANTS[i:j]
        for i in range(len(TIME_CONSTANTS))
        for j in range(i + MIN_TIME_CONSTANTS, len(TIME_CONSTANTS) + 1)
    ]
    return fit_best(data, [FeatureSet(constants, (), torch.zeros(2, 0, dtype=torch.long)) for constants in ranges])


def fit_quadratic(data: BaselineData, linear: Baseline) -> Baseline:
    """Fit the features of the linear baseline and products of two signals: a second-order Volterra model.

    The signals are the controls and their averages over some of the time constants: which, chosen on the validation
    cases, among those with at most ``MAX_PRODUCTS`` products. Products with the first rows were worse on three of
    four sets tried. (Volterra series: Schetzen 1980; filters as its basis: Wiener 1958.)

    Args:
        data: as that of ``linear``.
        linear: its range of time constants is taken.
    """
    choices = [FeatureSet(linear.time_constants, constants, pairs) for constants, pairs in products_of(linear.network)]
    return min((fit_best(data, [choice]) for choice in choices), key=lambda fitted: fitted.error)


def products_of(network: FilterRegression) -> list[tuple[tuple[float, ...], Tensor]]:
    """Sets of time constants, each with the pairs (2, Q) of features that are multiplied."""
    sets = []
    for constants in MULTIPLIED:
        columns = network.filters.signal_positions(places(constants))
        if len(columns) * (len(columns) + 1) // 2 <= MAX_PRODUCTS:
            sets.append((constants, columns[torch.triu_indices(len(columns), len(columns))]))
    if not sets:  # so many controls that only squares can be had
        columns = network.filters.signal_positions([])[:MAX_PRODUCTS]
        sets.append(((), torch.stack((columns, columns))))
    return sets


@torch.no_grad()
def fit_best(data: BaselineData, choices: Sequence[FeatureSet]) -> Baseline:
    """Fit every choice of features with every penalty; keep the one of least error on cases that were not fitted.

    These are the validation cases; without any, those of each fold, by a fit on the others.

    Args:
        data: cases and scaling.
        choices: with the same products.
    """
    network = _network(data, choices[0].pairs)
    total, without = sums_of_folds(data, network)
    left_out = list(zip(without, data.folds, strict=True))
    errors = torch.zeros(len(choices), len(PENALTIES)).double()
    for sums, cases in [(total, data.validation)] if data.validation else left_out:
        solvers = [_solver(network, sums, choice) for choice in choices]
        fits = [[solver.solve(penalty, data.choosing) for penalty in PENALTIES] for solver in solvers]
        errors += validation_errors(data, network, solvers, fits, cases)
    kept, k = divmod(int(errors.argmin()), len(PENALTIES))
    choice = choices[kept]
    chosen = Baseline(
        network, data.scaling, choice.time_constants, choice.multiplied, PENALTIES[k], float(errors.min()), 0
    )
    return _solved(chosen, total)


@torch.no_grad()
def cross_fit(baseline: Baseline, data: BaselineData) -> tuple[Baseline, list[Baseline]]:
    """Fit the features and the penalty of a baseline on all cases, and without each of the folds.

    Args:
        baseline: whose choices are kept.
        data: with folds.
    """
    total, without = sums_of_folds(data, baseline.network)
    return _solved(baseline, total), [_solved(baseline, sums) for sums in without]


def _network(data: BaselineData, pairs: Tensor) -> FilterRegression:
    """A regression in float64 with these products (2, Q), without weights."""
    network = FilterRegression(data.sizes, TIME_CONSTANTS, pairs.shape[1])
    network.filters.left.copy_(pairs[0])
    network.filters.right.copy_(pairs[1])
    return network.double()


def _solver(network: FilterRegression, sums: RidgeSums, choice: FeatureSet) -> RidgeSolver:
    return RidgeSolver(sums.moments, choice.used(network), sums.own, choice.used_own)


def _solved(baseline: Baseline, sums: RidgeSums) -> Baseline:
    """The baseline with the weights that follow from sums over rows."""
    network = deepcopy(baseline.network)
    pairs = torch.stack((network.filters.left, network.filters.right))
    solver = _solver(network, sums, FeatureSet(baseline.time_constants, baseline.multiplied, pairs))
    fit = solver.solve(baseline.penalty)
    network.weight.zero_()
    network.weight[solver.used] = fit.weights
    network.weight[network.filters.constant_at] += fit.offset
    if network.own is not None:
        network.own.zero_()
        network.own[solver.used_own] = fit.own
    return replace(baseline, network=network, parameters=sum(part.numel() for part in fit))
