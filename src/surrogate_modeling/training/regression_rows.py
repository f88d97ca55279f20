"""Rows of cases for a filter regression: sums for fitting it, and predictions for choosing among fits.

Shape letters: T rows of a case, R fitted rows, F feature (C control, then P predicted), N features of the filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.filter_network import FilterNetwork
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.ridge import MAX_FITTED_ROWS, Fit, Moments, OwnMoments, RidgeSolver
from surrogate_modeling.surrogate.scaling import Standardizer

# Targets that choose, spread over all of them: the mean error of more says no more about time constants.
MAX_SELECTION_TARGETS = 100
# Rows of a case from one that is fitted to the next; of very many rows, cases are left out instead.
MAX_STRIDE = 32
MIN_CASES_USED = 100
# Rows whose features are in memory at once.
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class BaselineData:
    """Data that the baselines are fitted on.

    Attributes:
        training: cases.
        validation: cases that choose.
        targets: positions of the targets among the predicted columns, whose mean error decides.
        scaling: fitted on the training cases.
        in_len: given rows.
        folds: parts of the training cases; without validation cases they choose, each left out in turn.
        stretches: of the training cases without each fold; empty where these are the other folds.
        tick: called after each case that was read, for whoever shows progress.
    """

    training: Sequence[Case]
    validation: Sequence[Case]
    targets: Sequence[int]
    scaling: Standardizer
    in_len: int
    folds: Sequence[Sequence[Case]] = ()
    stretches: Sequence[Sequence[Case]] = ()
    tick: Callable[[], object] = lambda: None

    @property
    def sizes(self) -> Sizes:
        """Sizes of a regression."""
        channels = self.training[0].channels
        predicted = len(channels.predicted)
        return Sizes(len(channels.controls), predicted, self.in_len, 1, predicted)

    @cached_property
    def case_stride(self) -> int:
        """Case step of the fit: filters run over every row of a case, so that leaving out rows alone saves little."""
        return max(1, self._rows // (MAX_FITTED_ROWS * MAX_STRIDE))

    @cached_property
    def stride(self) -> int:
        """Row step of the fit: every stride-th row of the cases used is fitted."""
        return max(1, self._rows // (MAX_FITTED_ROWS * self.case_stride))

    @property
    def _rows(self) -> int:
        return sum(len(case.values) for case in self.training)

    def used(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Every so many of some of the cases; all where they are few."""
        return cases[:: max(1, min(self.case_stride, len(cases) // MIN_CASES_USED))]

    @property
    def choosing(self) -> Tensor:
        """Positions of the targets on which features and penalty are chosen."""
        spread = (
            np.linspace(0, len(self.targets) - 1, min(len(self.targets), MAX_SELECTION_TARGETS)).round().astype(int)
        )
        return torch.tensor([self.targets[i] for i in spread])


def standardised(case: Case, scaling: Standardizer) -> Tensor:
    """All rows of a case (T, F) in float64 and standardised units."""
    # Copied at once: rows are read-only where cases share an array, which torch would warn of.
    return scaling.standardise_held(torch.tensor(case.values, dtype=torch.float64))


def features_of(network: FilterNetwork, values: Tensor, stride: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Features (R, N) and outputs (R, P) of every ``stride``-th predicted row, some rows at a time.

    Args:
        network: in float64.
        values: all rows of a case (T, F), standardised.
        stride: 1 for every row.
    """
    filters, in_len = network.filters, network.sizes.in_len
    state = network.start(values[None, :in_len])[:3]
    for first in range(in_len, len(values), ROWS_AT_ONCE):
        block = values[first : first + ROWS_AT_ONCE]
        linear, state = filters.linear_features(block[:, None, : filters.controls], state)
        chosen = slice((in_len - first) % stride, None, stride)
        yield filters.with_products(linear[chosen, 0]), block[chosen, filters.controls :]


def level_of(network: FilterNetwork, values: Tensor) -> Tensor:
    """Mean of the past window (P,) of a case (T, F)."""
    return values[: network.sizes.in_len, network.filters.controls :].mean(dim=0)


class RidgeSums(NamedTuple):
    """Sums over rows of some cases for a ridge regression; ``own`` where columns see their own level only."""

    moments: Moments
    own: OwnMoments | None

    def plus(self, other: RidgeSums) -> RidgeSums:
        """Sums over the rows of both."""
        own = None if self.own is None or other.own is None else self.own + other.own
        return RidgeSums(self.moments + other.moments, own)

    def less(self, part: RidgeSums) -> RidgeSums:
        """Sums over the rows that are not in a part."""
        own = None if self.own is None or part.own is None else self.own - part.own
        return RidgeSums(self.moments - part.moments, own)


def sum_up(data: BaselineData, network: FilterRegression, cases: Sequence[Case]) -> RidgeSums:
    """Sums over the rows of some of the cases."""
    moments: Moments | None = None
    own: OwnMoments | None = None
    for case in data.used(cases):
        values = standardised(case, data.scaling)
        for features, outputs in features_of(network, values, data.stride):
            part = Moments.of(features, outputs)
            moments = part if moments is None else moments + part
            if network.own is not None:
                fading, level = features[:, network.filters.fading], level_of(network, values)
                alone = OwnMoments.of(features, fading, level, outputs)
                own = alone if own is None else own + alone
        data.tick()
    assert moments is not None, "a split leaves training cases"
    return RidgeSums(moments, own)


def sums_of_folds(data: BaselineData, network: FilterRegression) -> tuple[RidgeSums, list[RidgeSums]]:
    """Sums over the rows of all training cases, and over what each fold leaves."""
    if data.stretches:
        return sum_up(data, network, data.training), [sum_up(data, network, kept) for kept in data.stretches]
    parts = [sum_up(data, network, part) for part in data.folds or [data.training]]
    total = reduce(RidgeSums.plus, parts)
    return total, [total.less(part) for part in parts if data.folds]


def validation_errors(
    data: BaselineData,
    network: FilterRegression,
    solvers: Sequence[RidgeSolver],
    fits: Sequence[Sequence[Fit]],
    cases: Sequence[Case],
) -> Tensor:
    """Mean absolute error of the targets that choose, summed over cases, of each fit of each solver.

    Args:
        data: scaling, and the targets that choose.
        network: that gives the features.
        solvers: which know the features that their fits use.
        fits: of each solver as many, of the targets that choose.
        cases: that were not fitted.

    Returns:
        (solvers, fits); infinite where a prediction is not finite.
    """
    errors = torch.zeros(len(solvers), len(fits[0])).double()
    # Side by side: one product for all fits of a solver.
    stacked = [Fit(*(torch.cat(parts, dim=-1) for parts in zip(*several, strict=True))) for several in fits]
    for case in data.used(cases):
        values, absolute, rows = standardised(case, data.scaling), torch.zeros_like(errors), 0
        level = level_of(network, values)[data.choosing]
        for features, outputs in features_of(network, values, data.stride):
            truth, rows = outputs[:, None, data.choosing], rows + len(outputs)
            for i, (solver, fit) in enumerate(zip(solvers, stacked, strict=True)):
                predicted = (features[:, solver.used] @ fit.weights + fit.offset).unflatten(1, (-1, truth.shape[2]))
                if solver.used_own is not None:
                    own = features[:, network.filters.fading][:, solver.used_own] @ fit.own
                    predicted += own.unflatten(1, (-1, truth.shape[2])) * level
                absolute[i] += (predicted - truth).abs().mean(dim=2).sum(dim=0)
        errors += (absolute / rows).nan_to_num(nan=torch.inf)
        data.tick()
    return errors
