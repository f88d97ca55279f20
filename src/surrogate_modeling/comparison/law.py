"""The law of a learning curve, and how far it is known.

The error falls with the number n of training cases as ``floor + a n^-b``: a power law with a floor that more cases do
not lower (Cortes et al. 1993, "Learning curves: asymptotic values and rate of convergence"; Hestness et al. 2017,
"Deep learning scaling is predictable, empirically"; Viering and Loog 2021, "The shape of learning curves", review which
laws suit which learners). It is written here with the error ``level`` at the largest n and the ``share`` of the floor
in it: ``level (share + (1 - share) (n / largest n)^-b)``.

How far it is known is a posterior on a grid, from which laws are drawn. A bootstrap sees only what differs between the
seeds, not what they have in common because they draw from the same cases, which is most where all cases are used.

Shape letters: S seeds, K numbers of cases, R shares, Q ratios of the first error to the last, D drawn laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

LEAST_EXPONENT, LARGEST_EXPONENT = 0.05, 4.0
# Prior: no floor at all, or else any share alike; exponents alike on a logarithmic scale.
NO_FLOOR = 0.2
SHARES = np.concatenate([[0.0], (np.arange(50) + 0.5) / 50])
SHARE_PRIOR = np.concatenate([[NO_FLOOR], np.full(50, (1 - NO_FLOOR) / 50)])
RATIOS = 121
# Scatter of the error falls with n as n^-g.
SCATTER_EXPONENTS = (0.0, 0.25, 0.5)
# Of the scatter of one seed, what seeds have in common that train on the same cases: they do not average it out.
COMMON_SCATTER = 0.7
DRAWS = 4000
LEVEL = 0.9
LEAST_SCATTER = 1e-4
# One law stands for all from the least number of cases to so many times the largest.
AROUND = 4.0


@dataclass(frozen=True)
class Law:
    """Laws drawn from what the errors allow, and one that stands for them.

    Attributes:
        largest: number of cases at which the error is the level.
        level: (D,) errors there.
        share: (D,) of the floor in the level.
        exponent: (D,).
        best: level, share and exponent of the law nearest to the middle of them.
    """

    largest: int
    level: np.ndarray
    share: np.ndarray
    exponent: np.ndarray
    best: tuple[float, float, float]

    @property
    def floor(self) -> np.ndarray:
        """(D,) errors that no number of cases goes below."""
        return self.level * self.share

    def errors(self, cases: float) -> np.ndarray:
        """(D,) errors with so many cases."""
        return self.level * (self.share + (1 - self.share) * (cases / self.largest) ** -self.exponent)

    def cases_for(self, error: float) -> np.ndarray:
        """(D,) cases that an error takes; infinite where it is below the floor."""
        left = (error / self.level - self.share) / (1 - self.share)
        # A law that is almost flat takes more cases than a float can hold.
        with np.errstate(over="ignore"):
            needed = self.largest * np.maximum(left, 1e-300) ** (-1 / self.exponent)
        return np.where(left > 0, needed, np.inf)


def quantiles(values: np.ndarray) -> tuple[float, float, float]:
    """Lower end of the interval of ``LEVEL``, median, upper end; infinite values count."""
    tail = (1 - LEVEL) / 2
    low, middle, high = np.quantile(values, [tail, 0.5, 1 - tail], method="nearest")
    return float(low), float(middle), float(high)


def fit_law(cases: Sequence[int], errors: np.ndarray, pool: int) -> Law:
    """Fit the law to errors of several seeds.

    The logarithm of each error is that of the law, plus an offset of the seed, whose test cases may be easy, plus
    scatter. Seeds that draw from the same cases share a part of the scatter, in proportion to the cases that they have
    in common. Offsets and scatter are integrated over with flat and Jeffreys priors; shares and exponents are a grid.

    Args:
        cases: (K,) numbers of training cases, rising, at least three.
        errors: (S, K) above 0, at least two seeds.
        pool: number of cases that they are drawn from.
    """
    counts = np.asarray(cases, dtype=float)
    logs = np.log(errors)
    grid = _Grid(counts / counts[-1], logs)
    fits = [grid.fit(exponent, COMMON_SCATTER * counts / pool) for exponent in SCATTER_EXPONENTS]
    weights = np.stack([fit.log_weight for fit in fits])
    probabilities = np.exp(weights - weights.max())
    # The same errors give the same text each time.
    rng = np.random.default_rng(0)
    cells = rng.choice(probabilities.size, DRAWS, p=probabilities.ravel() / probabilities.sum())
    which, ratio, share = np.unravel_index(cells, probabilities.shape)
    squares, level = (np.stack([getattr(fit, name) for fit in fits]).ravel()[cells] for name in ("squares", "level"))
    scatter = np.sqrt(squares / rng.chisquare(grid.freedom, DRAWS))
    deviation = scatter / np.sqrt(np.array([fit.precision for fit in fits])[which])
    drawn = np.exp(level + deviation * rng.normal(size=DRAWS)), SHARES[share], grid.exponents[ratio, share]
    law = Law(int(counts[-1]), *drawn, best=(1.0, 0.0, 1.0))
    around = np.geomspace(counts[0], AROUND * counts[-1], 12)
    middle = np.array([np.median(law.errors(count)) for count in around])
    return replace(law, best=_nearest(law.largest, around, middle, [float(np.median(values)) for values in drawn]))


def _nearest(largest: int, cases: np.ndarray, middle: np.ndarray, start: Sequence[float]) -> tuple[float, float, float]:
    """The law nearest to the middle of the drawn ones: bounded least squares on logarithms."""

    def misfit(law: np.ndarray) -> np.ndarray:
        return law[0] + np.log(law[1] + (1 - law[1]) * (cases / largest) ** -law[2]) - np.log(middle)

    bounds = [-np.inf, 0.0, LEAST_EXPONENT], [np.inf, SHARES[-1], LARGEST_EXPONENT]
    level, share, exponent = start
    inside = [
        np.log(level),
        np.clip(share, 1e-3, SHARES[-1] - 1e-3),
        np.clip(exponent, LEAST_EXPONENT, LARGEST_EXPONENT),
    ]
    level, share, exponent = least_squares(misfit, inside, bounds=bounds).x
    return float(np.exp(level)), float(share), float(exponent)


@dataclass(frozen=True)
class _GridFit:
    """For one way in which scatter falls with n, over (Q, R): log weight, best log level, sum of squares."""

    log_weight: np.ndarray
    level: np.ndarray
    squares: np.ndarray
    precision: float


class _Grid:
    """Laws by the ratio of their first error to the last, which errors fix well, and by their share.

    Args:
        relative: (K,) cases over the largest.
        logs: (S, K) logarithms of the errors.
    """

    def __init__(self, relative: np.ndarray, logs: np.ndarray) -> None:
        self.relative, self.logs = relative, logs
        self.freedom = logs.shape[0] * (logs.shape[1] - 1)
        mean = logs.mean(axis=0)
        apart = logs - mean - (logs - mean).mean(axis=1, keepdims=True)
        scatter = np.sqrt((apart**2).sum() / ((logs.shape[0] - 1) * (logs.shape[1] - 1)))
        width = 8 * max(float(scatter), LEAST_SCATTER) * np.sqrt(2) * relative[0] ** -0.25
        middle = mean[0] - mean[-1]
        log_ratios = np.linspace(max(middle - width, 1e-4), max(middle + width, width / 2, 2e-4), RATIOS)
        span, ratios = -np.log(relative[0]), np.exp(log_ratios)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            exponents = np.log((ratios - SHARES) / (1 - SHARES)) / span
            # Density of the exponent's prior, over the ratio.
            density = ratios / ((ratios - SHARES) * span) / exponents * SHARE_PRIOR
        self.possible = (exponents >= LEAST_EXPONENT) & (exponents <= LARGEST_EXPONENT)
        if not self.possible.any():
            # Errors that do not fall at all, or faster than any law: the slowest or the fastest without a floor.
            falls = exponents[RATIOS // 2, 0] > LARGEST_EXPONENT
            self.possible[0, 0], density[0, 0] = True, 1.0
            exponents[0, 0] = LARGEST_EXPONENT if falls else LEAST_EXPONENT
        self.exponents = np.where(self.possible, exponents, 1.0)
        self.log_prior = np.log(np.where(self.possible, density, 1.0))

    def fit(self, scatter_exponent: float, common: np.ndarray) -> _GridFit:
        """Weigh each law by the errors; ``common`` (K,) is the part of the scatter that the seeds share."""
        logs, mean = self.logs, self.logs.mean(axis=0)
        seeds = logs.shape[0]
        variance = self.relative ** (-2 * scatter_exponent)
        own, of_mean = variance * (1 - common), variance * ((1 - common) / seeds + common)
        _, between = _weighted(logs - mean, own)
        shape = np.log(SHARES[:, None] + (1 - SHARES[:, None]) * self.relative ** -self.exponents[..., None])
        level, misfit = _weighted(mean - shape, of_mean)
        squares = between.sum() + misfit + self.freedom * LEAST_SCATTER**2
        volume = (seeds - 1) * _log_volume(own) + _log_volume(of_mean)
        weight = self.log_prior - self.freedom / 2 * np.log(squares) - volume / 2
        return _GridFit(np.where(self.possible, weight, -np.inf), level, squares, float((1 / of_mean).sum()))


def _weighted(values: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the last axis, weighted by the variance, and the weighted sum of squares about it."""
    precision = 1 / variance
    mean = (values * precision).sum(axis=-1) / precision.sum()
    return mean, ((values - mean[..., None]) ** 2 * precision).sum(axis=-1)


def _log_volume(variance: np.ndarray) -> float:
    """Logarithm of the normalisation of independent values, an offset of all being integrated over."""
    return float(np.log(variance).sum() + np.log((1 / variance).sum()))
