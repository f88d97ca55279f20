"""What a surrogate must beat: persistence, and linear and quadratic models that never see their own output.

All get what the surrogate gets: the first in_len rows, and the controls of all rows.

Shape letters: T rows of a case, H = T - in_len predicted rows, C control, P predicted, K time constants, N features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.signal import lfilter

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.metrics import ade
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.ridge import Moments, ridge
from surrogate_modeling.surrogate.scaling import Standardizer

SHORTEST_RANGE = 3
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
# Rows of a trajectory repeat each other: past this many, every second, third, ... row is used.
FITTED_ROWS = 100_000
# Averages whose products the quadratic baseline tries: none, medium, spread, and all.
MULTIPLIED: tuple[tuple[float, ...], ...] = ((), (15.0, 150.0), (5.0, 50.0, 500.0), TIME_CONSTANTS)
# More take minutes to solve, and are more than the rows of a small dataset can tell apart.
MOST_PRODUCTS = 1000


def persistence(cases: Sequence[Case], in_len: int) -> list[np.ndarray]:
    """The last given row held to the end, (H, P) per case in physical units."""
    return [np.repeat(case.outputs[in_len - 1 : in_len], len(case.time) - in_len, axis=0) for case in cases]


class FilterRidge:
    """Ridge regression (Hoerl and Kennard 1970) on features of the controls and of the first rows.

    Nothing predicted is fed back, so the model is stable whatever the fit. Fitted in closed form, in float64 and
    standardised units.

    Args:
        scaling: fitted on the training cases.
        in_len: given rows.
        controls: C.
    """

    def __init__(self, scaling: Standardizer, in_len: int, controls: int) -> None:
        self.scaling = scaling
        self.mean = scaling.mean.cpu().numpy().astype(np.float64)
        self.scale = scaling.scale.cpu().numpy().astype(np.float64)
        self.divisor = scaling.divisor.cpu().numpy().astype(np.float64)
        self.in_len, self.controls = in_len, controls
        self.time_constants: tuple[float, ...] = TIME_CONSTANTS
        self.penalty = PENALTIES[0]
        # Positions of the features that are multiplied, and of those that the fit uses.
        self._pairs = np.zeros((2, 0), dtype=int)
        self._used = np.array([], dtype=int)
        self._weights = np.zeros((0, 0))
        self._offset = np.zeros(0)

    @property
    def parameters(self) -> int:
        """Fitted numbers."""
        return self._weights.size + self._offset.size

    def network(self) -> FilterRegression:
        """The same as a network, in float32 and standardised units."""
        predicted = len(self.mean) - self.controls
        sizes = Sizes(self.controls, predicted, self.in_len, 1, predicted)
        made = FilterRegression(sizes, TIME_CONSTANTS, self._pairs.shape[1])
        weight = np.zeros(made.weight.shape)
        weight[self._used] = self._weights
        weight[made.filters.constant_at] += self._offset
        made.weight.copy_(torch.from_numpy(weight))
        made.filters.left.copy_(torch.from_numpy(self._pairs[0]))
        made.filters.right.copy_(torch.from_numpy(self._pairs[1]))
        return made

    def predict(self, cases: Sequence[Case]) -> list[np.ndarray]:
        """(H, P) per case in physical units, float32."""
        scale, mean = self.scale[self.controls :], self.mean[self.controls :]
        standard = (np.take(self._features(case), self._used, axis=1) @ self._weights + self._offset for case in cases)
        return [
            case.channels.physical((rows * scale + mean).astype(np.float32), self.controls)
            for case, rows in zip(cases, standard, strict=True)
        ]

    def _choose(
        self,
        training: Sequence[Case],
        validation: Sequence[Case],
        targets: Sequence[int],
        choices: Sequence[np.ndarray],
    ) -> tuple[int, float]:
        """Fit with each choice of features and each penalty; keep the one with the least error on validation.

        Args:
            training: cases.
            validation: cases that choose.
            targets: positions of the targets among the predicted columns, whose mean error decides.
            choices: feature columns.

        Returns:
            Which choice was kept, and its error.
        """
        # Case by case: the features of one are larger than its rows by an order of magnitude.
        stride = max(1, sum(len(case.values) for case in training) // FITTED_ROWS)
        moments = self._moments(training, stride)
        fits = [[ridge(moments, penalty, used) for penalty in PENALTIES] for used in choices]
        # Side by side: one product for all penalties.
        weights = [np.hstack([weight for weight, _ in row]) for row in fits]
        offsets = [np.hstack([offset for _, offset in row]) for row in fits]
        errors = np.zeros((len(choices), len(PENALTIES)))
        for case in validation:
            features = self._features(case, stride)
            truth = np.tile(self._standardised(case)[self.in_len :: stride, self.controls :], len(PENALTIES))
            for i, used in enumerate(choices):
                error = ade(np.take(features, used, axis=1) @ weights[i] + offsets[i], truth)
                errors[i] += error.reshape(len(PENALTIES), -1)[:, list(targets)].mean(axis=1)
        kept, k = divmod(int(np.argmin(errors)), len(PENALTIES))
        self.penalty, (self._weights, self._offset) = PENALTIES[k], fits[kept][k]
        self._used = choices[kept]
        return kept, float(errors[kept, k])

    def _standardised(self, case: Case) -> np.ndarray:
        return (case.values - self.mean) / self.divisor

    def _features(self, case: Case, stride: int = 1) -> np.ndarray:
        """Of every ``stride``-th predicted row, (H, N): as ``FilterRegression`` computes them, in its order."""
        values = self._standardised(case)
        controls, chosen = values[:, : self.controls], slice(self.in_len, None, stride)
        level = np.append(values[: self.in_len, self.controls :].mean(axis=0), 1.0)
        constants = np.array(TIME_CONSTANTS)
        averages = [
            lfilter([1.0 - keep], [1.0, -keep], controls, axis=0, zi=keep * controls[:1])[0][chosen]
            for keep in np.exp(-1.0 / constants)
        ]
        decay = np.exp(-np.arange(1, len(values) - self.in_len + 1, stride)[:, None] / constants)
        decayed = (decay[:, :, None] * level).reshape(len(decay), -1)
        levels = np.broadcast_to(level, (len(decay), len(level)))
        return np.concatenate((controls[chosen], *averages, levels, decayed), axis=1)

    @property
    def _averages(self) -> int:
        """Columns of the controls and of all their averages."""
        return self.controls * (1 + len(TIME_CONSTANTS))

    def _columns_of(self, constants: Sequence[float]) -> np.ndarray:
        """Feature columns that belong to some time constants, and those that belong to none."""
        predicted, levels = len(self.mean) - self.controls, len(self.mean) - self.controls + 1
        decays = self._averages + levels
        kept = [TIME_CONSTANTS.index(tau) for tau in constants]
        # Not the constant: the offset is fitted beside the weights.
        return np.concatenate((
            self._signals(constants),
            np.arange(self._averages, self._averages + predicted),
            *(np.arange(decays + i * levels, decays + (i + 1) * levels) for i in kept),
        ))  # fmt: skip

    def _signals(self, constants: Sequence[float]) -> np.ndarray:
        """Feature columns of the controls and of their averages over some time constants."""
        blocks = [0, *(1 + TIME_CONSTANTS.index(tau) for tau in constants)]
        return np.concatenate([np.arange(i * self.controls, (i + 1) * self.controls) for i in blocks])

    def _moments(self, cases: Sequence[Case], stride: int) -> Moments:
        known: Moments | None = None
        for case in cases:
            outputs = self._standardised(case)[self.in_len :: stride, self.controls :]
            part = Moments.of(self._features(case, stride), outputs)
            known = part if known is None else known + part
        assert known is not None, "a split leaves training cases"
        return known


class LinearBaseline(FilterRidge):
    """Ridge regression on filters of the controls and on the first rows.

    Features of a row: its controls; their exponential averages over a range of time constants tau (in rows), started
    at the first control row; the mean of the first in_len rows of every predicted column, and its decays
    exp(-t / tau).
    """

    def fit(self, training: Sequence[Case], validation: Sequence[Case], targets: Sequence[int]) -> LinearBaseline:
        """Fit on the training cases; range of time constants and penalty are those of the least validation error."""
        ranges = _ranges(TIME_CONSTANTS)
        kept, _ = self._choose(training, validation, targets, [self._columns_of(constants) for constants in ranges])
        self.time_constants = ranges[kept]
        return self


class QuadraticBaseline(FilterRidge):
    """The features of the linear baseline, and products of two signals: a Volterra model of second order.

    The signals are the controls and their averages over some of the time constants: which, chosen on the validation
    cases, among those with at most ``MOST_PRODUCTS`` products. Products with the first rows were worse on three of
    four sets tried. (Volterra series: Schetzen 1980; filters as its basis: Wiener 1958.)
    """

    def __init__(self, scaling: Standardizer, in_len: int, controls: int) -> None:
        super().__init__(scaling, in_len, controls)
        self.multiplied: tuple[float, ...] = ()

    def fit(
        self,
        training: Sequence[Case],
        validation: Sequence[Case],
        targets: Sequence[int],
        linear: LinearBaseline | None = None,
    ) -> QuadraticBaseline:
        """Fit on the training cases; products and penalty are those of the least validation error.

        The range of time constants is that of the linear baseline: of ``linear``, fitted on the same cases, or of one
        that is fitted here.
        """
        linear = linear or LinearBaseline(self.scaling, self.in_len, self.controls).fit(training, validation, targets)
        self.time_constants = linear.time_constants
        plain = self._columns_of(self.time_constants)
        every = len(self._columns_of(TIME_CONSTANTS)) + 1
        fits = []
        for constants, pairs in self._products():
            self.multiplied, self._pairs = constants, pairs
            used = np.concatenate((plain, np.arange(every, every + pairs.shape[1])))
            _, error = self._choose(training, validation, targets, [used])
            fits.append((error, constants, pairs, used, self.penalty, self._weights, self._offset))
        best = min(fits, key=lambda fit: fit[0])
        _, self.multiplied, self._pairs, self._used, self.penalty, self._weights, self._offset = best
        return self

    def _features(self, case: Case, stride: int = 1) -> np.ndarray:
        """The linear features, then the products."""
        features = super()._features(case, stride)
        left, right = self._pairs
        return np.concatenate((features, np.take(features, left, axis=1) * np.take(features, right, axis=1)), axis=1)

    def _products(self) -> list[tuple[tuple[float, ...], np.ndarray]]:
        """Sets of time constants, and the pairs (2, N) of features that are multiplied with each."""
        sets = []
        for constants in MULTIPLIED:
            columns = self._signals(constants)
            pairs = np.stack(np.triu_indices(len(columns)))
            if pairs.shape[1] <= MOST_PRODUCTS:
                sets.append((constants, columns[pairs]))
        if not sets:  # so many controls that only squares can be had
            columns = self._signals(())[:MOST_PRODUCTS]
            sets.append(((), np.stack((columns, columns))))
        return sets


def _ranges(constants: tuple[float, ...]) -> list[tuple[float, ...]]:
    """All runs of neighbouring time constants of some length."""
    count = len(constants)
    return [constants[i:j] for i in range(count) for j in range(i + SHORTEST_RANGE, count + 1)]
