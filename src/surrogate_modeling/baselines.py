"""What a surrogate must beat: persistence, and a linear model that never sees its own output.

Both get what the surrogate gets: the first in_len rows, and the controls of all rows.

Shape letters: T rows of a case, H = T - in_len predicted rows, C control, P predicted, K time constants, N features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from surrogate_modeling.cases import Case
from surrogate_modeling.metrics import ade
from surrogate_modeling.scaling import Standardizer

TIME_CONSTANTS = (2.0, 5.0, 15.0, 50.0, 150.0, 500.0, 1500.0)
SHORTEST_RANGE = 3
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
# Rows of a trajectory repeat each other: past this many, every second, third, ... row is used.
FITTED_ROWS = 200_000


def persistence(cases: Sequence[Case], in_len: int, controls: int) -> list[np.ndarray]:
    """The last given row held to the end, (H, P) per case in physical units."""
    return [np.repeat(case.values[in_len - 1 : in_len, controls:], len(case.values) - in_len, axis=0) for case in cases]


@dataclass(frozen=True)
class Moments:
    """Means over rows from which a ridge regression with any penalty and any subset of features is solved."""

    covariance: np.ndarray
    cross: np.ndarray
    mean: np.ndarray
    mean_outputs: np.ndarray


class LinearBaseline:
    """Ridge regression (Hoerl and Kennard 1970) on filters of the controls and on the first rows.

    Features of a row: its controls; their exponential averages over a range of time constants tau (in rows), started
    at the first control row; the mean of the first in_len rows of every predicted column, and its decays
    exp(-t / tau). Nothing predicted is fed back, so the model is stable whatever the fit. Fitted in closed form, in
    float64 and standardised units.

    Args:
        scaling: fitted on the training cases.
        in_len: given rows.
        controls: C.
    """

    def __init__(self, scaling: Standardizer, in_len: int, controls: int) -> None:
        self.mean = scaling.mean.cpu().numpy().astype(np.float64)
        self.scale = scaling.scale.cpu().numpy().astype(np.float64)
        self.in_len, self.controls = in_len, controls
        self.time_constants: tuple[float, ...] = TIME_CONSTANTS
        self.ridge = RIDGES[0]
        self._used = np.array([], dtype=int)
        self._weights = np.zeros((0, 0))
        self._offset = np.zeros(0)

    def fit(self, training: Sequence[Case], validation: Sequence[Case], targets: Sequence[int]) -> LinearBaseline:
        """Fit on the training cases; the range of time constants and the penalty with the least error on validation.

        Args:
            training: cases.
            validation: cases that choose.
            targets: positions of the targets among the predicted columns, whose mean error decides.
        """
        moments = self._moments(training)
        candidates = [
            (constants, ridge, *_solve(moments, self._columns_of(constants), ridge))
            for constants in _ranges(TIME_CONSTANTS)
            for ridge in RIDGES
        ]
        # Case by case: the features of one are larger than its rows by an order of magnitude.
        errors = np.zeros(len(candidates))
        for case in validation:
            features = self._features(case)
            truth = self._standardised(case)[self.in_len :, self.controls :]
            for i, (constants, _, weights, offset) in enumerate(candidates):
                predicted = features[:, self._columns_of(constants)] @ weights + offset
                errors[i] += ade(predicted, truth)[list(targets)].mean()
        self.time_constants, self.ridge, self._weights, self._offset = candidates[int(np.argmin(errors))]
        self._used = self._columns_of(self.time_constants)
        return self

    @property
    def parameters(self) -> int:
        """Fitted numbers."""
        return self._weights.size + self._offset.size

    def predict(self, cases: Sequence[Case]) -> list[np.ndarray]:
        """(H, P) per case in physical units."""
        scale, mean = self.scale[self.controls :], self.mean[self.controls :]
        return [(self._features(case)[:, self._used] @ self._weights + self._offset) * scale + mean for case in cases]

    def _standardised(self, case: Case) -> np.ndarray:
        return (case.values - self.mean) / self.scale

    def _features(self, case: Case) -> np.ndarray:
        """(H, N): controls, then per time constant their averages, the decayed initial means, and the decay."""
        values = self._standardised(case)
        controls, level = values[:, : self.controls], values[: self.in_len, self.controls :].mean(axis=0)
        rows = len(values) - self.in_len
        since = np.arange(1, rows + 1)[:, None]
        parts = [controls[self.in_len :], np.broadcast_to(level, (rows, len(level)))]
        for constant in TIME_CONSTANTS:
            keep = np.exp(-1.0 / constant)
            averages = lfilter([1.0 - keep], [1.0, -keep], controls, axis=0, zi=keep * controls[:1])[0]
            decay = np.exp(-since / constant)
            parts += [averages[self.in_len :], decay * level, decay]
        return np.concatenate(parts, axis=1)

    def _columns_of(self, constants: Sequence[float]) -> np.ndarray:
        """Feature columns that belong to some time constants, and those that belong to none."""
        plain = len(self.mean)
        block = plain + 1
        blocks = [
            np.arange(plain + i * block, plain + (i + 1) * block)
            for i, tau in enumerate(TIME_CONSTANTS)
            if tau in constants
        ]
        return np.concatenate((np.arange(plain), *blocks))

    def _moments(self, cases: Sequence[Case]) -> Moments:
        stride = max(1, sum(len(case.values) for case in cases) // FITTED_ROWS)
        products: list[np.ndarray] = []
        rows = 0
        for case in cases:
            features = self._features(case)[::stride]
            outputs = self._standardised(case)[self.in_len :, self.controls :][::stride]
            parts = [features.T @ features, features.T @ outputs, features.sum(axis=0), outputs.sum(axis=0)]
            products = [a + b for a, b in zip(products, parts, strict=True)] if products else parts
            rows += len(features)
        gram, cross, mean, mean_outputs = (product / rows for product in products)
        return Moments(gram - np.outer(mean, mean), cross - np.outer(mean, mean_outputs), mean, mean_outputs)


# Beside persistence, which has nothing to fit.
BASELINES = {"linear": LinearBaseline}


def _ranges(constants: tuple[float, ...]) -> list[tuple[float, ...]]:
    """All runs of neighbouring time constants of some length."""
    count = len(constants)
    return [constants[i:j] for i in range(count) for j in range(i + SHORTEST_RANGE, count + 1)]


def _solve(moments: Moments, used: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (N, P) and offset (P,) of the ridge regression on standardised features."""
    spread = np.sqrt(np.clip(np.diag(moments.covariance)[used], 0.0, None))
    scale = np.where(spread > 1e-8, spread, np.inf)
    covariance = moments.covariance[np.ix_(used, used)] / scale / scale[:, None]
    cross = moments.cross[used] / scale[:, None]
    weights = np.linalg.solve(covariance + ridge * np.eye(len(used)), cross) / scale[:, None]
    return weights, moments.mean_outputs - moments.mean[used] @ weights
